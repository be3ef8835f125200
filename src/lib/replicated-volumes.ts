// The names by which those who make replicated volumes, their nodes and their machines understand each other.

export const replicatedVolumes = {
  /** Of the StorageClass `kerb-replicated`. */
  provisioner: "kerb.dev/replicated",
  /** Of the only pods that may have one: QEMU keeps the copies alike, and nothing else does. */
  runtimeClass: "kerb-vm",
} as const;
