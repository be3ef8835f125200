// The pod that fills a claim's disk, copies it, or gives it away. Pure.
import { controllerReference } from "../../controllers/pod-template.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { launcherImage, qemuUser, runtimeClass } from "../domain.ts";
import { replicationGate } from "../replication/record.ts";
import { schedulableLabel } from "../instance/launcher-pod.ts";
import { headersFolder, taskAnnotation, taskPaths, taskPort } from "./task.ts";
import type { DiskTask } from "./task.ts";

export interface TaskVolume {
  claim: string;
  block: boolean;
  path: string;
  readOnly?: boolean;
  /** Of the pod's volume. */
  name?: string;
}

export interface TaskPod {
  owner: KubeObject;
  name: string;
  task: DiskTask;
  volumes: TaskVolume[];
  /** An image to copy from. */
  image?: { reference: string; pullSecret?: string };
  /** With `accessKeyId` and `secretKey`. */
  keys?: string;
  /** Secrets whose values are headers, `Name: value`. */
  headers?: string[];
  /** A ConfigMap of certificates to trust. */
  ca?: string;
  priorityClassName?: string;
  labels?: Record<string, string>;
  /** Waits for its turn with a replicated volume. */
  isGated?: boolean;
  /** Where another pod is that it stands by. */
  nodeName?: string;
}

const resources = {
  requests: { cpu: "50m", memory: "64Mi" },
  limits: { memory: "512Mi" },
};

function volumesOf({ volumes, image, keys, headers = [], ca }: TaskPod) {
  const mounts: any[] = [{ name: "scratch", mountPath: taskPaths.scratch }];
  const devices: any[] = [];
  const all: any[] = [{ name: "scratch", emptyDir: {} }];
  volumes.forEach((volume, i) => {
    const { claim, block, path, readOnly, name = `disk-${i}` } = volume;
    all.push({ name, persistentVolumeClaim: { claimName: claim, ...(readOnly && { readOnly }) } });
    if (block) devices.push({ name, devicePath: path });
    else mounts.push({ name, mountPath: path, ...(readOnly && { readOnly }) });
  });
  const add = (name: string, mountPath: string, source: object) => {
    all.push({ name, ...source });
    mounts.push({ name, mountPath, readOnly: true });
  };
  if (image) add("image", taskPaths.source, { image: { reference: image.reference } });
  if (keys) add("keys", "/vm/keys", { secret: { secretName: keys } });
  headers.forEach((secretName, i) =>
    add(`headers-${i}`, `${headersFolder}/${i}`, { secret: { secretName } }),
  );
  if (ca) add("ca", "/vm/ca", { configMap: { name: ca } });
  return { all, mounts, devices };
}

const onNode = (nodeName: string) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [
        { matchFields: [{ key: "metadata.name", operator: "In", values: [nodeName] }] },
      ],
    },
  },
});

export function taskPod(options: TaskPod): Draft {
  const { owner, name, task, image, priorityClassName, labels, nodeName, isGated } = options;
  const { all, mounts, devices } = volumesOf(options);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...{ name, namespace: owner.metadata.namespace! },
      labels: { app: "containerized-data-importer", ...labels },
      annotations: { [taskAnnotation]: JSON.stringify(task) },
      ownerReferences: [controllerReference(owner)],
    },
    spec: {
      runtimeClassName: runtimeClass.name,
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      nodeSelector: { [schedulableLabel]: "true" },
      ...(isGated && { schedulingGates: [{ name: replicationGate }] }),
      ...(nodeName && { affinity: onNode(nodeName) }),
      ...(priorityClassName && { priorityClassName }),
      ...(image?.pullSecret && { imagePullSecrets: [{ name: image.pullSecret }] }),
      securityContext: {
        ...{ runAsUser: qemuUser, runAsGroup: qemuUser, runAsNonRoot: true, fsGroup: qemuUser },
        seccompProfile: { type: "RuntimeDefault" },
      },
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          ...{ name: "disk", image: launcherImage, imagePullPolicy: "Never", resources },
          terminationMessagePolicy: "FallbackToLogsOnError",
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"] },
            runAsNonRoot: true,
          },
          ports: [{ containerPort: taskPort }],
          readinessProbe: { tcpSocket: { port: taskPort }, periodSeconds: 1 },
          volumeMounts: mounts,
          ...(devices.length > 0 && { volumeDevices: devices }),
        },
      ],
      volumes: all,
    },
  };
}
