// What the schema cannot say of PersistentVolumeClaims, and of the templates of them.
import { semanticEqual } from "../semantic-equal.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { forbiddenValue, invalidValue } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsLabel, dnsSubdomain } from "../name-rules.ts";
import { all, always, fields, given, named, needed, none, oneOf } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { selectorErrors } from "../selector-validation.ts";
import { templateMetadata } from "../validate-metadata.ts";
import { amount, positiveAmount } from "./resource-validation.ts";

const accessModes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/** Told at the list itself, as upstream does. */
export const accessModesRule = (detail: string) =>
  needed(
    (modes: string[], at) => [
      ...modes.flatMap((mode) => oneOf(...accessModes)(mode, at)),
      ...(modes.includes("ReadWriteOncePod") &&
      modes.some((mode) => mode !== "ReadWriteOncePod" && accessModes.includes(mode))
        ? [forbiddenValue(at, "may not use ReadWriteOncePod with other access modes")]
        : none),
    ],
    detail,
  );

export const volumeMode = oneOf("Block", "Filesystem");
/** A class by its name; "" means none on purpose. */
export const className = given(named(dnsSubdomain));

const sourceFields = fields({ name: needed(), kind: needed() });
const defaultGroupWhy = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";

const dataSource: Rule = (source, at) => {
  const { apiGroup = "", kind = "" } = source;
  const isForeign = apiGroup === "" && kind !== "PersistentVolumeClaim";
  return [
    ...sourceFields(source, at),
    ...(isForeign ? [invalidValue(at, kind, defaultGroupWhy)] : none),
    ...given(named(dnsSubdomain))(apiGroup, `${at}.apiGroup`),
  ];
};

const snapshots = "snapshot.storage.k8s.io";
const isKnownSource = ({ apiGroup = "", kind }: any) =>
  apiGroup === snapshots
    ? kind === "VolumeSnapshot"
    : apiGroup === "" && kind === "PersistentVolumeClaim";

const specRules = {
  accessModes: accessModesRule("at least 1 access mode is required"),
  selector: selectorErrors,
  resources: always((resources, at) =>
    needed(positiveAmount)(resources.requests?.storage, `${at}[storage]`),
  ),
  storageClassName: className,
  volumeMode,
  // What is no claim and no snapshot means nothing here, and upstream forgets it.
  dataSource: (source: any, at: string) => (isKnownSource(source) ? dataSource(source, at) : none),
  dataSourceRef: all(dataSource, fields({ namespace: given(named(dnsLabel)) })),
  volumeAttributesClassName: className,
};

const same = (one: any, other: any) =>
  one.apiGroup === other.apiGroup && one.kind === other.kind && one.name === other.name;

/** Both sources say the same, where both are there. */
const sources: Rule = ({ dataSource: one, dataSourceRef: other }, at) => {
  if (!one || !other || !isKnownSource(one)) return none;
  const wrong = (why: string) => [invalidValue(at, {}, why)];
  if (other.namespace)
    return wrong("may not be specified when dataSourceRef.namespace is specified");
  return same(one, other) ? none : wrong("must match dataSourceRef");
};

export const claimSpec = all(fields(specRules), sources);

/** The claim that is made for a pod, or for each pod of a set. */
export const claimTemplate = fields({ metadata: templateMetadata, spec: always(claimSpec) });

const updateWhy =
  "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

/** The specs without what an update may change. A class may be given to a claim that has none, as a default one is. */
function fixed(object: any, old: any): unknown[] {
  const isBound = object.status?.phase === "Bound";
  return [object.spec, old.spec].map((one) => {
    const { volumeName, storageClassName, volumeAttributesClassName, ...others } = one;
    const { resources, dataSource: source, ...rest } = others;
    const { storage, ...requests } = resources?.requests ?? {};
    return {
      ...rest,
      ...(source && isKnownSource(source) && { source }),
      resources: { ...resources, requests },
      ...(old.spec.volumeName && { volumeName }),
      ...(old.spec.storageClassName !== undefined && { storageClassName }),
      ...(!isBound && { volumeAttributesClassName, storage }),
    };
  });
}

function updateErrors(object: any, old: any): Errors {
  const errors: FieldError[] = [];
  const [now, before] = fixed(object, old);
  if (!semanticEqual(now, before)) errors.push(forbiddenValue("spec", updateWhy));
  const [asked, had] = [object, old].map(({ spec: one }) =>
    amount(one.resources?.requests?.storage),
  );
  const real = amount(old.status?.capacity?.storage ?? "0") ?? 0;
  if ((asked ?? 0) < (had ?? 0) && (asked ?? 0) <= real) {
    const field = "spec.resources.requests.storage";
    errors.push(forbiddenValue(field, "field can not be less than status.capacity"));
  }
  const mode = object.spec.volumeMode;
  if (mode !== old.spec.volumeMode) {
    errors.push(invalidValue("volumeMode", mode, "field is immutable"));
  }
  return errors;
}

const whole = always(claimSpec);
/** What was allowed once in a selector stays. */
const known = always(all(fields({ ...specRules, selector: () => none }), sources));

export function claimErrors({ object, old, subresource }: Change): Errors {
  if (subresource !== "") return none;
  const rule = old && semanticEqual(old.spec.selector, object.spec.selector) ? known : whole;
  const errors = rule(object.spec, "spec");
  return old ? [...errors, ...updateErrors(object, old)] : errors;
}
