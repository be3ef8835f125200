/** A CSI volume in `status.volumesInUse` and `status.volumesAttached` of nodes. */
export const attachedName = (driver: string, handle: string) =>
  `kubernetes.io/csi/${driver}^${handle}`;
