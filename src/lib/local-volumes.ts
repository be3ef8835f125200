// The names by which the provisioner of local volumes and the nodes that keep them understand each other.

export const localVolumes = {
  /** Of the StorageClass `local-path`. */
  provisioner: "kerb.dev/local-path",
  /** Of such a StorageClass; `"true"`: a volume of files is a file system of its claim's size. */
  sizeParameter: "enforceSize",
  /** On a Node: the folder in which its volumes lie. */
  directoryAnnotation: "kerb.dev/local-volumes",
  /** On a PersistentVolume until its node has removed its folder. */
  finalizer: "kerb.dev/local-volume",
} as const;
