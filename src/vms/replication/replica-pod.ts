// The pod that keeps one copy of a replicated volume on its node: QEMU's storage daemon and nothing else. Pure.
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { launcherPaths, runVolume } from "../domain.ts";
import { taskPaths } from "../disks/task.ts";
import { taskPod } from "../disks/task-pod.ts";
import { replicaLabel } from "./record.ts";

/** Where it takes writes. */
export const replicaPort = 10_809;
/** Its volume with the disk. */
export const replicaDisk = "disk";

const resources = { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "256Mi" } };

export const replicaPodName = (volume: string, node: string) =>
  `replica-${volume.slice(4, 12)}-${node}`;

/** `claim` owns it: a claim that goes takes its pods along. */
export function replicaPod(claim: KubeObject, volume: string, node: string): Draft {
  const draft = taskPod({
    owner: claim,
    name: replicaPodName(volume, node),
    task: { kind: "replica", bytes: 0, block: false, key: "" },
    volumes: [
      { name: replicaDisk, claim: claim.metadata.name, block: false, path: taskPaths.target },
    ],
    labels: { [replicaLabel]: volume },
    nodeName: node,
  });
  const { metadata } = draft;
  const { containers, volumes, ...spec } = draft["spec"] as any;
  const [{ readinessProbe: _, ports: __, ...container }] = containers;
  const run = { name: runVolume, emptyDir: {} };
  const mount = { name: runVolume, mountPath: launcherPaths.run };
  const isRun = ({ name }: { name: string }) => name === "scratch";
  return {
    ...draft,
    metadata: { ...metadata!, labels: { ...metadata!.labels, app: "kerb-replica" } },
    spec: {
      ...spec,
      restartPolicy: "Always",
      containers: [
        {
          ...container,
          resources,
          ports: [{ containerPort: replicaPort }],
          volumeMounts: container.volumeMounts.map((one: any) => (isRun(one) ? mount : one)),
        },
      ],
      volumes: volumes.map((one: any) => (isRun(one) ? run : one)),
      // A node that is away keeps its copy, and its pod.
      tolerations: [
        { key: "node.kubernetes.io/unreachable", operator: "Exists" },
        { key: "node.kubernetes.io/not-ready", operator: "Exists" },
        { key: "node.kubernetes.io/unschedulable", operator: "Exists" },
      ],
    },
  };
}
