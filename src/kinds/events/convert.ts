// Events of events.k8s.io are those of the core group under newer names: one storage, two forms.
import type { Kind } from "../kind.ts";
import type { KubeObject } from "../object.ts";

/** Fields by their name in the core group and in events.k8s.io; all others are the same. */
const names: [core: string, events: string][] = [
  ["involvedObject", "regarding"],
  ["message", "note"],
  ["reportingComponent", "reportingController"],
  ["source", "deprecatedSource"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
];

const toEvents = new Map(names);
const toCore = new Map(names.map(([core, events]) => [events, core]));

function renamed(object: KubeObject, map: Map<string, string>, apiVersion: string): KubeObject {
  const entries = Object.entries(object).map(([key, value]) => [map.get(key) ?? key, value]);
  return { ...(Object.fromEntries(entries) as KubeObject), apiVersion };
}

export const eventsConversion: Pick<Kind, "storedAs" | "convert"> = {
  storedAs: { group: "", plural: "events" },
  convert: {
    fromStored: (object) => renamed(object, toEvents, "events.k8s.io/v1"),
    toStored: (object) => renamed(object, toCore, "v1"),
  },
};
