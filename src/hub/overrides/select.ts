// From Override objects to the rules for one ManifestWorkReplicaSet. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import type { OverrideRule } from "./apply.ts";

/** `overrides` of the set's namespace, those that win last. */
export function overridesOf(set: KubeObject, overrides: KubeObject[]): OverrideRule[] {
  const labels = set.metadata.labels ?? {};
  const priority = ({ spec }: KubeObject): number => spec.priority ?? 0;
  return overrides
    .filter(({ spec }) => compileSelector(spec.replicaSetSelector ?? {})(labels))
    .toSorted((a, b) => priority(a) - priority(b) || (a.metadata.name < b.metadata.name ? -1 : 1))
    .flatMap(({ spec: { rules, siteSelector } }) =>
      rules.map((rule: OverrideRule) => ({ ...rule, ...(siteSelector && { siteSelector }) })),
    );
}
