// What Events must say: little of old ones, and more of those that name a time (pkg/apis/core/validation). The
// newer group tells errors by the names that the older one has, except for who reported.
import { jsonEqual } from "../../lib/json.ts";
import { invalidValue, nameErrors, required } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsSubdomain, qualifiedName } from "../name-rules.ts";
import type { KubeObject } from "../object.ts";
import { none } from "../rules.ts";
import type { Errors } from "../rules.ts";
import { eventsConversion } from "./convert.ts";

const wordsCharsMax = 128;
const noteCharsMax = 1024;

const homeless = new Set(["default", "kube-system"]);
const elsewhereWhy = "does not match event.namespace";

function namespaceErrors({ metadata, involvedObject, eventTime }: any): Errors {
  const of: string = involvedObject?.namespace ?? "";
  const home: string = metadata.namespace ?? "";
  const refused = [invalidValue("involvedObject.namespace", of, elsewhereWhy)];
  if (eventTime) return of === "" && !homeless.has(home) ? refused : none;
  if (of !== "") return of === home ? none : refused;
  return home === "" || home === "default" ? none : refused;
}

function timedErrors(event: any, reporter: string): Errors {
  const words = {
    reportingInstance: event.reportingInstance ?? "",
    action: event.action ?? "",
    reason: event.reason ?? "",
  };
  const controller = event.reportingComponent ?? "";
  return [
    ...(controller === "" ? [required(reporter)] : none),
    ...nameErrors(qualifiedName, controller, reporter),
    ...Object.entries<string>(words).flatMap(([field, text]): Errors => {
      if (text === "") return [required(field)];
      const why = `can have at most ${wordsCharsMax} characters`;
      return Buffer.byteLength(text) > wordsCharsMax ? [invalidValue(field, "", why)] : none;
    }),
    ...(Buffer.byteLength(event.message ?? "") > noteCharsMax
      ? [invalidValue("message", "", `can have at most ${noteCharsMax} characters`)]
      : none),
  ];
}

const judged = (event: any, reporter: string): Errors => [
  ...namespaceErrors(event),
  ...(event.eventTime ? timedErrors(event, reporter) : none),
  ...nameErrors(dnsSubdomain, event.metadata.namespace ?? "", "namespace"),
];

export const eventErrors = ({ object }: Change): Errors => judged(object, "reportingComponent");

function seriesErrors({ series }: any): Errors {
  if (!series) return none;
  return [
    ...((series.count ?? 0) < 2
      ? [invalidValue("series.count", "", "should be at least 2")]
      : none),
    ...(series.lastObservedTime ? none : [required("series.lastObservedTime")]),
  ];
}

/** What only the older group's events say. */
const older = ["firstTimestamp", "lastTimestamp", "count", "source"];

function createErrors(event: any): Errors {
  const { type = "", source } = event;
  const isGiven = (field: string) =>
    field === "source" ? Boolean(source?.component || source?.host) : Boolean(event[field]);
  return [
    ...seriesErrors(event),
    ...(event.eventTime ? none : [required("eventTime")]),
    ...(type === "Normal" || type === "Warning"
      ? none
      : [invalidValue("type", "", `has invalid value: ${type}`)]),
    ...older.filter(isGiven).map((field) => invalidValue(field, "", "needs to be unset")),
  ];
}

const kept =
  "involvedObject reason message source firstTimestamp lastTimestamp count type eventTime action related".split(
    " ",
  );
const keptOfReporter: [field: string, told: string][] = [
  ["reportingComponent", "reportingController"],
  ["reportingInstance", "reportingInstance"],
];

/** Of all that an event says only how often it came may change. */
function updateErrors(event: any, old: any): Errors {
  const fields = [...kept.map((field) => [field, field]), ...keptOfReporter];
  return [
    ...(jsonEqual(event.series, old.series) ? none : seriesErrors(event)),
    ...fields.flatMap(([field, told]) =>
      jsonEqual(event[field!], old[field!])
        ? none
        : [invalidValue(told!, event[field!] ?? null, "field is immutable")],
    ),
  ];
}

const asOlder = (event: KubeObject) => eventsConversion.convert!.toStored(event);

export function newEventErrors({ object, old }: Change): Errors {
  const event = asOlder(object);
  return [
    ...judged(event, "reportingController"),
    ...(old ? updateErrors(event, asOlder(old)) : createErrors(event)),
  ];
}
