// What a pod asks for as a whole, beside what its containers do.
import { podRequests } from "../../lib/pod-requests.ts";
import { forbiddenValue, invalidValue, supported } from "../field-checks.ts";
import { none } from "../rules.ts";
import type { Errors } from "../rules.ts";
import { amount, requirementErrors, resourceNameErrors } from "./resource-validation.ts";

type Any = Record<string, any>;

const podLevel = ["cpu", "hugepages-", "memory"];
const isPodLevel = (name: string) =>
  name === "cpu" || name === "memory" || name.startsWith("hugepages-");

const requirements = requirementErrors((name, field) => {
  const errors = resourceNameErrors(name, field);
  return errors.length > 0 || isPodLevel(name) ? errors : supported(field, name, podLevel);
});

/** All containers together stay within it. */
function consistencyErrors(spec: Any, at: string): Errors {
  const { requests = {}, limits = {} } = spec["resources"];
  const { resources: _, overhead: _o, ...alone } = spec;
  const total = podRequests(alone);
  const asked = Object.keys(requests).flatMap((name) => {
    const sum = (total.get(name) ?? 0) / (name === "cpu" ? 1000 : 1);
    if (sum <= (amount(requests[name]) ?? 0)) return none;
    const text = name === "cpu" && !Number.isInteger(sum) ? `${sum * 1000}m` : String(sum);
    const why = `must be greater than or equal to aggregate container requests of ${text}`;
    return [invalidValue(`${at}.requests[${name}]`, requests[name], why)];
  });
  const limited = (spec["containers"] as Any[]).flatMap(({ resources }, i) =>
    Object.entries<any>(resources?.limits ?? {}).flatMap(([name, limit]) => {
      const most = limits[name];
      if (most === undefined || (amount(limit) ?? 0) <= (amount(most) ?? 0)) return none;
      const why = `must be less than or equal to pod limits of ${most}`;
      return [invalidValue(`${at}.containers[${i}][${name}].limits`, limit, why)];
    }),
  );
  return [...asked, ...limited];
}

/** Of the PodSpec at `at`. */
export function podResourceErrors(spec: Any, at: string): Errors {
  const { resources, os } = spec;
  if (!resources) return none;
  const field = `${at}.resources`;
  if (os?.name === "windows") return [forbiddenValue(field, "may not be set for a windows pod")];
  const claims = resources.claims
    ? [forbiddenValue(`${field}.claims`, "claims may not be set for Resources at pod-level")]
    : none;
  return [...claims, ...requirements(resources, field), ...consistencyErrors(spec, field)];
}
