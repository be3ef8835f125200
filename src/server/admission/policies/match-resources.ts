// Whether a policy or its binding is about a request.
import type { Kinds } from "../../../kinds/kinds.ts";
import { compileSelector, type LabelSelector } from "../../../lib/label-selector.ts";
import type { Labels } from "../../../lib/label-selector.ts";
import type { AdmissionRequest } from "../../policy.ts";
import type { Rule } from "../webhooks/configuration.ts";
import { matchedKind, matchesRule, selects } from "../webhooks/match.ts";

interface NamedRule extends Rule {
  resourceNames?: string[];
}

export interface MatchResources {
  resourceRules?: NamedRule[];
  excludeResourceRules?: NamedRule[];
  namespaceSelector?: LabelSelector;
  objectSelector?: LabelSelector;
  matchPolicy?: "Exact" | "Equivalent";
}

const forName = ({ resourceNames = [] }: NamedRule, name: string) =>
  resourceNames.length === 0 || resourceNames.includes(name);

/** Absent constraints match all. Pure. */
export function matchesResources(
  constraints: MatchResources | undefined,
  request: AdmissionRequest,
  namespaceLabels: Labels | undefined,
  kinds: Kinds,
): boolean {
  if (!constraints) return true;
  const { namespaceSelector, objectSelector, matchPolicy = "Equivalent" } = constraints;
  const selectors = {
    inNamespace: compileSelector(namespaceSelector ?? {}),
    ofObject: compileSelector(objectSelector ?? {}),
  };
  if (!selects(selectors, request, namespaceLabels)) return false;
  const { resourceRules, excludeResourceRules = [] } = constraints;
  const excluded = excludeResourceRules.some(
    (rule) => forName(rule, request.name) && matchesRule(rule, request.kind, request),
  );
  if (excluded) return false;
  if (!resourceRules || resourceRules.length === 0) return true;
  const rules = resourceRules.filter((rule) => forName(rule, request.name));
  return matchedKind({ rules, matchPolicy }, request, kinds) !== undefined;
}
