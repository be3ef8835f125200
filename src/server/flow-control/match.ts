// Which FlowSchema a request belongs to, and which flow of it. Pure.
import type { Attributes } from "../policy.ts";
import type { User } from "../request.ts";

interface Subject {
  kind: "User" | "Group" | "ServiceAccount";
  user?: { name: string };
  group?: { name: string };
  serviceAccount?: { namespace: string; name: string };
}

interface ResourceRule {
  verbs?: string[];
  apiGroups?: string[];
  resources?: string[];
  clusterScope?: boolean;
  namespaces?: string[];
}

interface NonResourceRule {
  verbs?: string[];
  nonResourceURLs?: string[];
}

export interface FlowRule {
  subjects?: Subject[];
  resourceRules?: ResourceRule[];
  nonResourceRules?: NonResourceRule[];
}

/** Lists may be missing: what a schema does not say matches nothing. */
const has = (list: string[] = [], value: string) => list.includes("*") || list.includes(value);

const account = "system:serviceaccount:";

function isSubject(subject: Subject, user: User): boolean {
  switch (subject.kind) {
    case "User":
      return subject.user?.name === "*" || subject.user?.name === user.name;
    case "Group":
      return subject.group?.name === "*" || user.groups.includes(subject.group?.name ?? "");
    case "ServiceAccount": {
      const { namespace = "", name = "" } = subject.serviceAccount ?? {};
      const prefix = `${account}${namespace}:`;
      if (name === "*") return user.name.startsWith(prefix);
      return user.name === prefix + name;
    }
    default:
      return false;
  }
}

function isResource(rule: ResourceRule, asked: Attributes): boolean {
  const { resource, subresource, namespace } = asked;
  if (!has(rule.verbs, asked.verb) || !has(rule.apiGroups, asked.group)) return false;
  if (!has(rule.resources, subresource ? `${resource}/${subresource}` : resource)) return false;
  return namespace ? has(rule.namespaces, namespace) : rule.clusterScope === true;
}

const isPath = (pattern: string, path: string) =>
  pattern === "*" ||
  pattern === path ||
  (pattern.endsWith("/*") && path.startsWith(pattern.slice(0, -1)));

const isNonResource = (
  { verbs, nonResourceURLs = [] }: NonResourceRule,
  { verb, path }: Attributes,
) => has(verbs, verb) && nonResourceURLs.some((pattern) => isPath(pattern, path));

export const matchesFlow = (rules: FlowRule[], user: User, asked: Attributes): boolean =>
  rules.some(
    ({ subjects = [], resourceRules = [], nonResourceRules = [] }) =>
      subjects.some((subject) => isSubject(subject, user)) &&
      (asked.resource
        ? resourceRules.some((rule) => isResource(rule, asked))
        : nonResourceRules.some((rule) => isNonResource(rule, asked))),
  );

const fnvPrime = 0x01000193;

function fnv(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), fnvPrime);
  return hash >>> 0;
}

/** Below 2^53, from all of the text. */
export const hashOf = (text: string) =>
  fnv(text, 0x811c9dc5) * 2 ** 21 + (fnv(`${text}#`, 0x2545f491) >>> 11);
