// What of the requests is written down: rules of audit.k8s.io/v1, of which the first that matches counts.
// https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
import type { Attributes } from "../policy.ts";
import { fields, flag, list, oneOf, text } from "../../lib/shape.ts";
import type { Shape } from "../../lib/shape.ts";
import type { User } from "../request.ts";

export const levels = ["None", "Metadata", "Request", "RequestResponse"] as const;
export type Level = (typeof levels)[number];

const stages = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"] as const;
export type Stage = (typeof stages)[number];

interface GroupResources {
  group?: string;
  resources?: string[];
  resourceNames?: string[];
}

export interface Rule {
  level: Level;
  users?: string[];
  userGroups?: string[];
  verbs?: string[];
  resources?: GroupResources[];
  namespaces?: string[];
  nonResourceURLs?: string[];
  omitStages?: Stage[];
  omitManagedFields?: boolean;
}

export interface AuditPolicy {
  rules: Rule[];
  omitStages?: Stage[];
  omitManagedFields?: boolean;
}

/** What is to be told of one request. */
export interface Decision {
  level: Level;
  omitStages: ReadonlySet<Stage>;
  omitManagedFields: boolean;
}

const saysNothing = (list: unknown[] | undefined) => list === undefined || list.length === 0;

const has = (list: string[] | undefined, value: string) =>
  saysNothing(list) || list!.includes(value);

// A pattern is `pods`, `pods/log`, `pods/*`, or `*` alone or for the part before the slash.
function names(pattern: string, { resource, subresource }: Attributes): boolean {
  if (pattern === "*") return true;
  if (pattern === (subresource ? `${resource}/${subresource}` : resource)) return true;
  if (pattern.startsWith("*/")) return subresource !== "" && pattern.slice(2) === subresource;
  return pattern === `${resource}/*`;
}

const isOneOf = (wanted: GroupResources, asked: Attributes) =>
  (wanted.group ?? "") === asked.group &&
  (saysNothing(wanted.resources) ||
    (has(wanted.resourceNames, asked.name) && wanted.resources!.some((one) => names(one, asked))));

const isUnder = (pattern: string, path: string) =>
  pattern === "*" ||
  pattern === path ||
  (pattern.endsWith("*") && path.startsWith(pattern.slice(0, -1)));

function matches(rule: Rule, user: User, asked: Attributes): boolean {
  const { userGroups, resources, namespaces, nonResourceURLs } = rule;
  if (!has(rule.users, user.name) || !has(rule.verbs, asked.verb)) return false;
  if (!saysNothing(userGroups) && !user.groups.some((one) => userGroups!.includes(one))) {
    return false;
  }
  if (!saysNothing(namespaces) || !saysNothing(resources)) {
    if (!asked.resource || !has(namespaces, asked.namespace)) return false;
    return saysNothing(resources) || resources!.some((one) => isOneOf(one, asked));
  }
  if (saysNothing(nonResourceURLs)) return true;
  return !asked.resource && nonResourceURLs!.some((one) => isUnder(one, asked.path));
}

/** Undefined when nothing of the request is told. Pure. */
export function decide(policy: AuditPolicy, user: User, asked: Attributes): Decision | undefined {
  const rule = policy.rules.find((one) => matches(one, user, asked));
  if (!rule || rule.level === "None") return undefined;
  return {
    level: rule.level,
    omitStages: new Set([...(policy.omitStages ?? []), ...(rule.omitStages ?? [])]),
    omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

const groupResources = fields({ group: text, resources: list(text), resourceNames: list(text) });

const exclusive: Shape = (rule, at) =>
  rule?.nonResourceURLs?.length > 0 && (rule.resources?.length > 0 || rule.namespaces?.length > 0)
    ? [`${at}.nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs`]
    : [];

const ruleFields = fields(
  {
    level: oneOf(levels),
    users: list(text),
    userGroups: list(text),
    verbs: list(text),
    resources: list(groupResources),
    namespaces: list(text),
    nonResourceURLs: list(text),
    omitStages: list(oneOf(stages)),
    omitManagedFields: flag,
  },
  ["level"],
);

const document = fields(
  {
    apiVersion: oneOf(["audit.k8s.io/v1"]),
    kind: oneOf(["Policy"]),
    metadata: () => [],
    rules: list((rule, at) => [...ruleFields(rule, at), ...exclusive(rule, at)]),
    omitStages: list(oneOf(stages)),
    omitManagedFields: flag,
  },
  ["apiVersion", "kind", "rules"],
);

/** Throws an Error that names every field that is wrong. */
export function readPolicy(parsed: unknown): AuditPolicy {
  const problems = document(parsed, "");
  if (problems.length > 0) throw new Error(`the audit policy is invalid: ${problems.join("; ")}`);
  return parsed as AuditPolicy;
}
