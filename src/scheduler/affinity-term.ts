// One term of inter-pod affinity or anti-affinity, compiled: which other pods it speaks of, and
// which node label makes two nodes "the same place".
import { compileSelector, type LabelSelector, type Labels } from "../lib/label-selector.ts";

export interface RawAffinityTerm {
  topologyKey: string;
  labelSelector?: LabelSelector;
  namespaces?: string[];
  namespaceSelector?: LabelSelector;
  matchLabelKeys?: string[];
  mismatchLabelKeys?: string[];
}

interface Described {
  namespace: string;
  labels: Labels;
}

export type NamespaceLabels = ReadonlyMap<string, Labels>;

export interface AffinityTerm {
  topologyKey: string;
  /** 0 for required terms; negative for preferred anti-affinity. */
  weight: number;
  /** Namespaces named outright; undefined when a selector may add others. */
  namespaces: readonly string[] | undefined;
  matches(pod: Described, namespaces: NamespaceLabels): boolean;
}

/** `matchLabelKeys` mean "as my own value" and `mismatchLabelKeys` "unlike my own value". */
function withLabelKeys(term: RawAffinityTerm, own: Labels): LabelSelector | undefined {
  if (!term.labelSelector) return undefined;
  const extra = (keys: string[] | undefined, operator: string) =>
    (keys ?? [])
      .filter((key) => own[key] !== undefined)
      .map((key) => ({ key, operator, values: [own[key]!] }));
  return {
    ...term.labelSelector,
    matchExpressions: [
      ...(term.labelSelector.matchExpressions ?? []),
      ...extra(term.matchLabelKeys, "In"),
      ...extra(term.mismatchLabelKeys, "NotIn"),
    ],
  };
}

export function affinityTerm(term: RawAffinityTerm, owner: Described, weight = 0): AffinityTerm {
  const labelsMatch = compileSelector(withLabelKeys(term, owner.labels));
  const namesOwn = !term.namespaces?.length && !term.namespaceSelector;
  const named = namesOwn ? [owner.namespace] : (term.namespaces ?? []);
  const bySelector = term.namespaceSelector && compileSelector(term.namespaceSelector);
  return {
    topologyKey: term.topologyKey,
    weight,
    namespaces: bySelector ? undefined : named,
    matches: (pod, namespaces) =>
      (named.includes(pod.namespace) ||
        (bySelector?.(namespaces.get(pod.namespace) ?? {}) ?? false)) &&
      labelsMatch(pod.labels),
  };
}
