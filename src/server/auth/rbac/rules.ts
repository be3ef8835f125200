// What a rule allows, and whether rules cover others. Pure: roles, bindings and users are looked up
// elsewhere.
import type { Attributes } from "../../policy.ts";

/** `rbac.authorization.k8s.io/v1 PolicyRule`. */
export interface PolicyRule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}

const has = (list: string[] | undefined, value: string) =>
  list !== undefined && (list.includes("*") || list.includes(value));

function resourceMatches(resources: string[] = [], resource: string, subresource: string) {
  const whole = subresource ? `${resource}/${subresource}` : resource;
  return resources.some(
    (one) => one === "*" || one === whole || (subresource !== "" && one === `*/${subresource}`),
  );
}

const pathMatches = (pattern: string, path: string) =>
  pattern === "*" ||
  pattern === path ||
  (pattern.endsWith("*") && path.startsWith(pattern.slice(0, -1)));

export function ruleAllows(rule: PolicyRule, asked: Attributes): boolean {
  if (!has(rule.verbs, asked.verb)) return false;
  if (!asked.resource) {
    return (rule.nonResourceURLs ?? []).some((pattern) => pathMatches(pattern, asked.path));
  }
  return (
    has(rule.apiGroups, asked.group) &&
    resourceMatches(rule.resources, asked.resource, asked.subresource) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(asked.name))
  );
}

export const evaluate = (rules: readonly PolicyRule[], asked: Attributes) =>
  rules.some((rule) => ruleAllows(rule, asked));

/** A rule taken apart until every list has at most one member. */
function* atoms(rule: PolicyRule): Generator<PolicyRule> {
  for (const verb of rule.verbs) {
    for (const url of rule.nonResourceURLs ?? []) yield { verbs: [verb], nonResourceURLs: [url] };
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const atom = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (!rule.resourceNames?.length) yield atom;
        for (const name of rule.resourceNames ?? []) yield { ...atom, resourceNames: [name] };
      }
    }
  }
}

function ruleCovers(owner: PolicyRule, atom: PolicyRule): boolean {
  if (!has(owner.verbs, atom.verbs[0]!)) return false;
  const url = atom.nonResourceURLs?.[0];
  if (url !== undefined) {
    return (owner.nonResourceURLs ?? []).some((pattern) => pathMatches(pattern, url));
  }
  const [resource = "", subresource = ""] = atom.resources![0]!.split("/");
  const name = atom.resourceNames?.[0];
  const named = !owner.resourceNames?.length || (name && owner.resourceNames.includes(name));
  return (
    Boolean(named) &&
    has(owner.apiGroups, atom.apiGroups![0]!) &&
    resourceMatches(owner.resources, resource, subresource)
  );
}

/** What of `asked` the rules of `owner` do not allow, one atom each; empty when they cover it. */
export function uncovered(owner: readonly PolicyRule[], asked: readonly PolicyRule[]) {
  const missing: PolicyRule[] = [];
  for (const rule of asked) {
    for (const atom of atoms(rule)) {
      if (!owner.some((one) => ruleCovers(one, atom))) missing.push(atom);
    }
  }
  return missing;
}

const quoted = (list: string[]) => `[${list.map((item) => JSON.stringify(item)).join(" ")}]`;

/** A rule as upstream prints it in messages. */
export function ruleText(rule: PolicyRule): string {
  const fields = [
    ["APIGroups", rule.apiGroups],
    ["Resources", rule.resources],
    ["ResourceNames", rule.resourceNames],
    ["NonResourceURLs", rule.nonResourceURLs],
    ["Verbs", rule.verbs],
  ] as const;
  const shown = fields.filter(([, list]) => list?.length);
  return `{${shown.map(([name, list]) => `${name}:${quoted(list!)}`).join(", ")}}`;
}
