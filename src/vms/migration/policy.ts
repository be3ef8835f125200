// MigrationPolicy: what a migration is told beside what the whole cluster is. Pure.
import type { KubeObject } from "../../kinds/object.ts";

type Labels = Record<string, string>;

/** Of KubeVirt's MigrationConfiguration, as far as a migration here is told of it. */
export interface MigrationConfiguration {
  allowAutoConverge?: boolean;
  allowPostCopy?: boolean;
  bandwidthPerMigration?: string | number;
  completionTimeoutPerGiB?: number;
}

const settings = [
  "allowAutoConverge",
  "allowPostCopy",
  "bandwidthPerMigration",
  "completionTimeoutPerGiB",
] as const;

/** How many labels a selector names; undefined where one of them is another. */
function score(selector: Labels = {}, labels: Labels = {}): number | undefined {
  const wanted = Object.entries(selector);
  return wanted.every(([key, value]) => labels[key] === value) ? wanted.length : undefined;
}

/** The one that names most labels; of two that name as many, of the guest itself; and then by name. */
export function policyOf(policies: KubeObject[], vmi: KubeObject, namespace: KubeObject) {
  const matches = policies.flatMap((policy) => {
    const { selectors } = policy.spec;
    const own = score(selectors.virtualMachineInstanceSelector, vmi.metadata.labels);
    const around = score(selectors.namespaceSelector, namespace.metadata.labels);
    if (own === undefined || around === undefined) return [];
    return [{ policy, own, all: own + around }];
  });
  const byScore = matches.sort(
    (a, b) =>
      b.all - a.all || b.own - a.own || (a.policy.metadata.name < b.policy.metadata.name ? -1 : 1),
  );
  return byScore[0]?.policy;
}

/** What of it goes before the cluster's own settings; undefined where it says nothing. */
export function settingsOf(policy: KubeObject | undefined): MigrationConfiguration | undefined {
  const said = settings.filter((name) => policy?.spec[name] !== undefined);
  if (said.length === 0) return undefined;
  return Object.fromEntries(said.map((name) => [name, policy!.spec[name]]));
}
