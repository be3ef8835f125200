// The part of `v1 Pod` that the agent reads.
import type { KubeObject } from "../../kinds/object.ts";

export interface Handler {
  exec?: { command?: string[] };
  httpGet?: {
    path?: string;
    port: number | string;
    host?: string;
    scheme?: string;
    httpHeaders?: { name: string; value: string }[];
  };
  tcpSocket?: { port: number | string; host?: string };
  grpc?: { port: number; service?: string };
  sleep?: { seconds: number };
}

export interface Probe extends Handler {
  initialDelaySeconds?: number;
  timeoutSeconds?: number;
  periodSeconds?: number;
  successThreshold?: number;
  failureThreshold?: number;
  terminationGracePeriodSeconds?: number;
}

export interface VolumeMount {
  name: string;
  mountPath: string;
  readOnly?: boolean;
  recursiveReadOnly?: string;
  subPath?: string;
  subPathExpr?: string;
  mountPropagation?: string;
}

export interface RestartRule {
  action: string;
  exitCodes?: { operator: string; values?: number[] };
}

export interface Container {
  name: string;
  image: string;
  imagePullPolicy?: string;
  command?: string[];
  args?: string[];
  workingDir?: string;
  env?: any[];
  envFrom?: any[];
  ports?: any[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  resizePolicy?: { resourceName: string; restartPolicy: string }[];
  /** Over the pod's; on init containers Always makes a sidecar. */
  restartPolicy?: string;
  restartPolicyRules?: RestartRule[];
  lifecycle?: { postStart?: Handler; preStop?: Handler; stopSignal?: string };
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  securityContext?: any;
  stdin?: boolean;
  stdinOnce?: boolean;
  tty?: boolean;
  terminationMessagePath?: string;
  terminationMessagePolicy?: string;
  volumeMounts?: VolumeMount[];
  volumeDevices?: { name: string; devicePath: string }[];
  /** On ephemeral containers only: whose processes it sees. */
  targetContainerName?: string;
}

export interface Pod extends KubeObject {
  spec: {
    nodeName?: string;
    restartPolicy?: string;
    containers: Container[];
    initContainers?: Container[];
    ephemeralContainers?: Container[];
    volumes?: any[];
    activeDeadlineSeconds?: number;
    terminationGracePeriodSeconds?: number;
    [field: string]: any;
  };
}

export const restartPolicyOf = (pod: Pod) => pod.spec.restartPolicy ?? "Always";

export const isSidecar = (container: Container) => container.restartPolicy === "Always";

/** Init containers first, those that were added to debug the pod last. */
export const allContainers = (pod: Pod) => [
  ...(pod.spec.initContainers ?? []),
  ...pod.spec.containers,
  ...(pod.spec.ephemeralContainers ?? []),
];

/** As upstream prints a pod in messages: `web_default(<uid>)`. */
export const podText = ({ metadata }: Pod) =>
  `${metadata.name}_${metadata.namespace}(${metadata.uid})`;

/** Names the folder of a pod's logs, as on any node. */
export const logFolder = ({ metadata }: Pod) =>
  `${metadata.namespace}_${metadata.name}_${metadata.uid}`;

/** In the words of Kubernetes' metrics. */
export function containerTypeOf({ spec }: Pod, name: string) {
  if (spec.containers.some((one) => one.name === name)) return "container";
  return (spec.initContainers ?? []).some((one) => one.name === name)
    ? "init_container"
    : "ephemeral_container";
}
