// Krustlet's node, as its manifests ask for it: a second Node of the machine with Krustlet's labels, taints and
// architecture, whose pods run as modules. Pure.

const architecture = "wasm32-wasi";

export const krustletNode = {
  labels: {
    "kubernetes.io/arch": architecture,
    "kubernetes.io/os": architecture,
    "beta.kubernetes.io/arch": architecture,
    "beta.kubernetes.io/os": architecture,
    type: "krustlet",
  },
  taints: ["NoSchedule", "NoExecute"].map((effect) => ({
    key: "kubernetes.io/arch",
    value: architecture,
    effect,
  })),
  /** In nodeInfo; not what the label says. */
  architecture: "wasm-wasi",
};

interface Toleration {
  key?: string;
  operator?: string;
  value?: string;
}

interface PodLike {
  metadata: { annotations?: Record<string, string> };
  spec: {
    runtimeClassName?: string;
    restartPolicy?: string;
    tolerations?: Toleration[];
    [field: string]: any;
  };
}

/** True for pods that ask for Krustlet's node by its taint. */
const isMeant = ({ spec: { runtimeClassName, tolerations = [] } }: PodLike) =>
  !runtimeClassName &&
  tolerations.some(({ key, value }) => key === "kubernetes.io/arch" && value === architecture);

/**
 * The pod as an agent is to run it: one that is meant for Krustlet has the class of modules, all of its
 * arguments are argv, and one that ended well stays ended, as it would there; one that failed starts again.
 */
export function asKrustlet<T extends PodLike>(pod: T): T {
  if (!isMeant(pod)) return pod;
  const { metadata, spec } = pod;
  const { restartPolicy = "Always" } = spec;
  return {
    ...pod,
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, "kerb.dev/bare-arguments": "true" },
    },
    spec: {
      ...spec,
      runtimeClassName: "wasm",
      restartPolicy: restartPolicy === "Always" ? "OnFailure" : restartPolicy,
    },
  };
}
