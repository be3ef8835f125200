// The name of the VolumeAttachment of a volume at a node, which the controller that makes it and the node that
// waits for it find by themselves, as upstream's do.
import { createHash } from "node:crypto";

export const attachmentName = (handle: string, driver: string, node: string) =>
  `csi-${createHash("sha256").update(`${handle}${driver}${node}`).digest("hex")}`;
