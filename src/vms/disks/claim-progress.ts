// Annotations of claims by which clients of CDI see how far a disk is.
export const podPhase = "cdi.kubevirt.io/storage.pod.phase";
export const podReady = "cdi.kubevirt.io/storage.pod.ready";
/** A claim that has it waits for an upload, or did. */
export const uploadTarget = "cdi.kubevirt.io/storage.upload.target";
/** `archive`, or `kubevirt` for a disk. */
export const contentType = "cdi.kubevirt.io/storage.contentType";
