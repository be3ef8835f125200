// Annotations of claims by which clients of CDI see how far a disk is.
export const podPhase = "cdi.kubevirt.io/storage.pod.phase";
export const podReady = "cdi.kubevirt.io/storage.pod.ready";
