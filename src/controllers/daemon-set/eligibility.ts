// On which nodes a DaemonSet's pod belongs: the scheduler's rules of names, affinity and taints, with
// the tolerations every daemon has, since daemons are to outlast a node's troubles.
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { matchesTerms } from "../../lib/node-selector.ts";
import { repelling, untoleratedTaint, type Toleration } from "../../lib/taint.ts";
import { podFromTemplate } from "../pod-template.ts";

const prefix = "node.kubernetes.io";
const exists = (name: string, effect: string): Toleration => ({
  key: `${prefix}/${name}`,
  operator: "Exists",
  effect,
});

const always = [
  exists("not-ready", "NoExecute"),
  exists("unreachable", "NoExecute"),
  exists("disk-pressure", "NoSchedule"),
  exists("memory-pressure", "NoSchedule"),
  exists("pid-pressure", "NoSchedule"),
  exists("unschedulable", "NoSchedule"),
];
const onHostNetwork = [exists("network-unavailable", "NoSchedule")];

export function tolerations(spec: any): Toleration[] {
  const own: Toleration[] = spec.tolerations ?? [];
  const added = [...always, ...(spec.hostNetwork ? onHostNetwork : [])];
  const same = (a: Toleration, b: Toleration) =>
    a.key === b.key && a.operator === b.operator && a.effect === b.effect && !a.value;
  return [...own.filter((mine) => !added.some((toleration) => same(mine, toleration))), ...added];
}

export interface Eligibility {
  /** A pod is wanted here. */
  run: boolean;
  /** A pod already here may stay. */
  stay: boolean;
}

export function eligibility(set: KubeObject, node: KubeObject): Eligibility {
  const { spec } = set.spec.template;
  const { name, labels = {} } = node.metadata;
  const no = { run: false, stay: false };
  if (spec.nodeName && spec.nodeName !== name) return no;
  const selector = Object.entries(spec.nodeSelector ?? {});
  if (!selector.every(([key, value]) => labels[key] === value)) return no;
  const terms =
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (terms && !matchesTerms(terms, { name, labels })) return no;
  const taints = node.spec?.taints ?? [];
  const tolerated = tolerations(spec);
  if (!untoleratedTaint(taints, tolerated, repelling)) return { run: true, stay: true };
  return { run: false, stay: !untoleratedTaint(taints, tolerated, ["NoExecute"]) };
}

/** The pod for one node: its affinity names that node, so that the scheduler does the binding. */
export function podForNode(set: KubeObject, hash: string, nodeName: string): Draft {
  const pod = podFromTemplate(set, set.spec.template);
  const { spec } = pod as Draft & { spec: any };
  const nodeAffinity = {
    ...spec.affinity?.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [
        { matchFields: [{ key: "metadata.name", operator: "In", values: [nodeName] }] },
      ],
    },
  };
  spec.affinity = { ...spec.affinity, nodeAffinity };
  spec.tolerations = tolerations(spec);
  pod.metadata.labels = { ...pod.metadata.labels, "controller-revision-hash": hash };
  return pod;
}

/** The node a daemon's pod is on, or is meant for while it is not bound. */
export function nodeOf(pod: KubeObject): string | undefined {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  const terms =
    pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
      ?.nodeSelectorTerms ?? [];
  for (const term of terms) {
    for (const field of term.matchFields ?? []) {
      if (field.key === "metadata.name" && field.values?.length === 1) return field.values[0];
    }
  }
  return undefined;
}
