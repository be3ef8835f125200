// The address of a pod that goes on as another pod, elsewhere: a virtual machine that moves between nodes keeps the
// address it began with. An IPAddress says so, which neither users nor nodes may write: where packets to the address
// go, and which pod has it now.

interface Tagged {
  name: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface MovedAddress {
  address: string;
  node: string;
  podUid: string;
  /** The address that the pod was made with: its network is behind it. */
  through: string;
}

/** Of an IPAddress: the node that has it. */
export const movedLabel = "network.kerb.dev/node";
const podAnnotation = "network.kerb.dev/pod-uid";
const throughAnnotation = "network.kerb.dev/through";

export const movedMetadata = ({ address, node, podUid, through }: MovedAddress) => ({
  name: address,
  labels: { [movedLabel]: node },
  annotations: { [podAnnotation]: podUid, [throughAnnotation]: through },
});

export function movedAddress({ metadata }: { metadata: Tagged }): MovedAddress | undefined {
  const node = metadata.labels?.[movedLabel];
  const { [podAnnotation]: podUid, [throughAnnotation]: through } = metadata.annotations ?? {};
  if (!node || !podUid || !through) return undefined;
  return { address: metadata.name, node, podUid, through };
}
