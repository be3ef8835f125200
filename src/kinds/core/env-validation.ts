// What the schema cannot say of a container's environment.
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue } from "../field-checks.ts";
import { configKey, dnsLabel, dnsSubdomain, variableName } from "../name-rules.ts";
import { withoutBacksteps } from "../path-rules.ts";
import { all, fields, given, named, needed, none, orEmpty } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { fieldRef, resourceFieldRef } from "./downward-api-validation.ts";

type Any = Record<string, any>;

const fieldPaths = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];

const keyRef = fields({
  name: orEmpty(named(dnsSubdomain)),
  key: needed(named(configKey)),
});

const sources: Record<string, Rule> = {
  fieldRef: fieldRef(fieldPaths),
  resourceFieldRef: resourceFieldRef(false),
  configMapKeyRef: keyRef,
  secretKeyRef: keyRef,
  fileKeyRef: fields({
    key: needed(named(variableName)),
    volumeName: needed(named(dnsLabel)),
    path: needed(withoutBacksteps),
  }),
};
const names = Object.keys(sources);
const list = names.map((one) => `\`${one}\``);
const missingWhy = `must specify one of: ${list.slice(0, -1).join(", ")} or ${list.at(-1)}`;
const oneSourceEach = fields(sources);
const manyWhy = "may not have more than one field specified at a time";

function valueFromErrors(value: string | undefined, from: Any, at: string): Errors {
  const count = names.filter((name) => from[name] !== undefined).length;
  const wrong = (why: string): FieldError[] => [invalidValue(at, "", why)];
  if (count === 0) return wrong(missingWhy);
  const errors = oneSourceEach(from, at);
  if (value) return [...errors, ...wrong("may not be specified when `value` is not empty")];
  return count > 1 ? [...errors, ...wrong(manyWhy)] : errors;
}

export const variable = all(
  fields({ name: needed(named(variableName)) }),
  ({ value, valueFrom }, at) =>
    valueFrom ? valueFromErrors(value, valueFrom, `${at}.valueFrom`) : none,
);

const reference = fields({ name: needed(named(dnsSubdomain)) });
const fromFields = fields({
  prefix: given(named(variableName)),
  configMapRef: reference,
  secretRef: reference,
});

/** How many there are is told at the list, as upstream does. */
export const variableSources: Rule = (from: Any[], at) =>
  from.flatMap((one, i) => {
    const errors = fromFields(one, `${at}[${i}]`);
    const { configMapRef, secretRef } = one;
    if ((configMapRef === undefined) !== (secretRef === undefined)) return errors;
    const why = configMapRef ? manyWhy : "must specify one of: `configMapRef` or `secretRef`";
    return [...errors, invalidValue(at, "", why)];
  });
