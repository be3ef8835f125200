// Which families of addresses a Service is of, and which of its addresses it says itself (KEP-563). Purely: the
// spec is completed in place, and what cannot be is told by field in Kubernetes' words.
//
// https://kubernetes.io/docs/concepts/services-networking/dual-stack/
import { jsonEqual } from "../../lib/json.ts";
import { familyOf, ipFamilies, isAddress } from "../../lib/ip-range.ts";
import type { IpFamily } from "../../lib/ip-range.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { duplicate, forbiddenValue, invalidValue, supported } from "../../kinds/field-checks.ts";

const single = "SingleStack";
const policies = ["PreferDualStack", "RequireDualStack", single];
const wrongAddress = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const fixed = "may not change once set";
const linked = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] as const;

type Spec = Record<string, any>;

const other = (family: IpFamily): IpFamily => (family === "IPv4" ? "IPv6" : "IPv4");
const isNone = ({ clusterIPs }: Spec) => clusterIPs?.[0] === "None";
const isSelectorless = ({ selector }: Spec) => Object.keys(selector ?? {}).length === 0;

/** A Service that becomes an alias leaves what it had; other than that it may not say where it is. */
function external(spec: Spec, old: Spec | undefined): FieldError[] {
  for (const field of linked) {
    const isLeft = old && jsonEqual(old[field], spec[field]);
    if (isLeft || !spec[field]?.length || field.startsWith("clusterIP")) delete spec[field];
  }
  return ["ipFamilies", "ipFamilyPolicy"].flatMap((field) =>
    spec[field]
      ? [forbiddenValue(`spec.${field}`, "may not be set for ExternalName services")]
      : [],
  );
}

/** The one address and the list of them say the same, whichever of them a client knows. */
function linkAddresses(spec: Spec, old: Spec | undefined) {
  const isSame = jsonEqual(old?.["clusterIPs"] ?? [], spec["clusterIPs"] ?? []);
  if (!old?.["clusterIP"]) {
    if (!spec["clusterIP"] && spec["clusterIPs"]?.[0]) spec["clusterIP"] = spec["clusterIPs"][0];
    else if (spec["clusterIP"] && !spec["clusterIPs"]?.length) {
      spec["clusterIPs"] = [spec["clusterIP"]];
    }
    return;
  }
  if (spec["clusterIP"] && spec["clusterIP"] !== old["clusterIP"] && isSame) {
    spec["clusterIPs"] = [spec["clusterIP"]];
  }
  if (!spec["clusterIP"]) {
    if (spec["clusterIPs"]?.length && !isSame) spec["clusterIP"] = spec["clusterIPs"][0];
    else spec["clusterIP"] = old["clusterIP"];
  }
  if (!spec["clusterIPs"]?.length) {
    const isKept = spec["clusterIP"] === old["clusterIP"];
    spec["clusterIPs"] = isKept
      ? [...(old["clusterIPs"] ?? [old["clusterIP"]])]
      : [spec["clusterIP"]];
  }
}

function familyErrors({ ipFamilies: families = [], ipFamilyPolicy: policy }: Spec): FieldError[] {
  const errors = (families as string[]).flatMap((family, i) => [
    ...supported(`spec.ipFamilies[${i}]`, family, ipFamilies),
    ...(families.indexOf(family) < i ? [duplicate(`spec.ipFamilies[${i}]`, family)] : []),
  ]);
  return [
    ...errors,
    ...(policy === undefined ? [] : supported("spec.ipFamilyPolicy", policy, policies)),
  ];
}

function addressErrors(spec: Spec): FieldError[] {
  const { clusterIP, clusterIPs: all = [], ipFamilies: families = [] } = spec;
  const at = "spec.clusterIPs";
  if (all.includes("None") && all.length > 1) {
    return [invalidValue(at, all, "'None' must be the first and only value")];
  }
  const unlike =
    all.length > 0 && clusterIP !== all[0]
      ? [invalidValue(at, all, "first value must match `clusterIP`")]
      : [];
  if (isNone(spec)) return unlike;
  const wrong = (all as string[]).flatMap((ip, i) =>
    !isAddress(ip) ? [invalidValue(`${at}[${i}]`, ip, wrongAddress)] : [],
  );
  if (all.length > 2) wrong.push(invalidValue(at, all, "may only hold up to 2 values"));
  if (wrong.length > 0) return wrong;
  const errors = [...unlike];
  if (all.length > 1 && familyOf(all[0]) === familyOf(all[1])) {
    errors.push(invalidValue(at, all, "may specify no more than one IP for each IP family"));
  }
  for (const [i, ip] of all.entries()) {
    if (families[i] === undefined || familyOf(ip) === families[i]) continue;
    const why = `expected an ${families[i]} value as indicated by \`ipFamilies[${i}]\``;
    errors.push(invalidValue(`${at}[${i}]`, ip, why));
  }
  return errors;
}

const list: Record<string, { what: string }> = {
  clusterIPs: { what: "clusterIP" },
  ipFamilies: { what: "ipFamily" },
};

/** The first stays; the second comes, and goes for those who ask for one alone. */
function changeErrors(spec: Spec, old: Spec): FieldError[] {
  if (isNone(spec) || isNone(old)) return [];
  return Object.entries(list).flatMap(([field, { what }]) => {
    const [had, has]: string[][] = [old[field] ?? [], spec[field] ?? []];
    const at = (i: number) => `spec.${field}[${i}]`;
    if (had!.length > 0 && has!.length === 0) {
      return [invalidValue(at(0), has, `primary ${what} can not be unset`)];
    }
    const changed = had!.findIndex((one, i) => i < has!.length && has![i] !== one);
    if (changed >= 0) return [invalidValue(at(changed), has, fixed)];
    if (has!.length >= had!.length || spec["ipFamilyPolicy"] === single) return [];
    const why = `must be set to '${single}' when releasing the secondary ${what}`;
    return [invalidValue("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], why)];
  });
}

/** Whoever asks for one family alone, and for nothing else, has the first. */
function downgrade(spec: Spec, old: Spec) {
  if (spec["ipFamilyPolicy"] !== single) return;
  for (const field of Object.keys(list)) {
    if (jsonEqual(old[field], spec[field])) spec[field] = spec[field]?.slice(0, 1);
  }
}

/** A policy for one does not go with two of what users chose; families follow from addresses. */
function inferFamilies(spec: Spec, configured: readonly IpFamily[]): FieldError[] {
  const { clusterIPs: ips = [], ipFamilyPolicy: policy } = spec;
  const families: string[] = [...(spec["ipFamilies"] ?? [])];
  const errors: FieldError[] = [];
  for (const [what, all] of [
    ["cluster IPs", ips],
    ["IP families", families],
  ]) {
    if (policy !== single || all.length < 2) continue;
    const why = `must be RequireDualStack or PreferDualStack when multiple ${what} are specified`;
    errors.push(invalidValue("spec.ipFamilyPolicy", policy, why));
  }
  for (const [i, ip] of ips.entries()) {
    if (ip === "None" || i < families.length) continue;
    const family = familyOf(ip);
    if (configured.includes(family)) families.push(family);
    else {
      const why = `${family} is not configured on this cluster`;
      errors.push(invalidValue(`spec.clusterIPs[${i}]`, ips, why));
    }
  }
  spec["ipFamilies"] = families;
  return errors;
}

function complete(spec: Spec, configured: readonly IpFamily[]): FieldError[] {
  const isDual = configured.length > 1;
  // Endpoints that people write themselves may be of families that the cluster does not have.
  if (isNone(spec) && isSelectorless(spec)) {
    if (spec["ipFamilies"].length === 0) spec["ipFamilies"] = [configured[0]];
    spec["ipFamilyPolicy"] ??= isDual ? "RequireDualStack" : single;
    if (spec["ipFamilyPolicy"] !== single && spec["ipFamilies"].length === 1) {
      spec["ipFamilies"].push(other(spec["ipFamilies"][0]));
    }
    return [];
  }
  const errors: FieldError[] = [];
  if (spec["ipFamilyPolicy"] === "RequireDualStack" && !isDual) {
    const why = "this cluster is not configured for dual-stack services";
    errors.push(invalidValue("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], why));
  }
  for (const [i, family] of spec["ipFamilies"].entries()) {
    if (configured.includes(family)) continue;
    errors.push(invalidValue(`spec.ipFamilies[${i}]`, family, "not configured on this cluster"));
  }
  if (errors.length > 0) return errors;
  if (spec["ipFamilies"].length === 0) spec["ipFamilies"] = [configured[0]];
  if (spec["ipFamilyPolicy"] === undefined) {
    if (spec["ipFamilies"].length > 1) {
      const why =
        "must be RequireDualStack or PreferDualStack when multiple IP families are specified";
      return [invalidValue("spec.ipFamilyPolicy", single, why)];
    }
    spec["ipFamilyPolicy"] = single;
  }
  if (spec["ipFamilyPolicy"] !== single && isDual && spec["ipFamilies"].length === 1) {
    spec["ipFamilies"].push(other(spec["ipFamilies"][0]));
  }
  return [];
}

/**
 * Completes the families, and of the addresses what follows from one another; those that are missing are to be
 * given out. `configured` are the cluster's families, its own first.
 */
export function chooseFamilies(
  spec: Spec,
  old: Spec | undefined,
  configured: readonly IpFamily[],
): FieldError[] {
  if (spec["type"] === "ExternalName") return external(spec, old);
  const before = old && old["type"] !== "ExternalName" ? old : undefined;
  linkAddresses(spec, before);
  spec["ipFamilyPolicy"] ??= before?.["ipFamilyPolicy"];
  if (!spec["ipFamilies"]?.length && before && isNone(before) === isNone(spec) && isNone(spec)) {
    spec["ipFamilies"] = before["ipFamilies"];
  }
  if (spec["ipFamilyPolicy"] === undefined) delete spec["ipFamilyPolicy"];
  const wrong = [...familyErrors(spec), ...addressErrors(spec)];
  if (wrong.length > 0) return wrong;
  // A Service that takes what there is does not change when the cluster does.
  const isKept = ["clusterIPs", "ipFamilies", "ipFamilyPolicy"].every(
    (field) => before?.[field] && jsonEqual(before[field], spec[field]),
  );
  if (isKept && spec["ipFamilyPolicy"] === "PreferDualStack") return [];
  if (before) downgrade(spec, before);
  const impossible = inferFamilies(spec, configured);
  if (impossible.length > 0) return impossible;
  const refused = complete(spec, configured);
  return refused.length > 0 || !before ? refused : changeErrors(spec, before);
}
