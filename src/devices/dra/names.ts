// How devices are named to dynamic resource allocation. Pure.
import { createHash } from "node:crypto";
import { claimPrefix, parseUsage } from "../plugins/slots.ts";

export const driverName = "akri.sh";
export const cdiKind = "akri.sh/claim";

/** What holds a slot for one device of a claim, in place of a virtual device. */
export const holderOf = (claimUid: string, device: string) => `${claimPrefix}${claimUid}.${device}`;

/** The device of a claim that `holderOf` made `virtualDevice` of. */
export const deviceOfHolder = (virtualDevice: string) =>
  virtualDevice.slice(virtualDevice.indexOf(".", claimPrefix.length) + 1);

export const isClaimedBy = (text: string, { uid, node }: { uid: string; node: string }) => {
  const usage = parseUsage(text);
  return usage?.node === node && usage.virtualDevice?.startsWith(`${claimPrefix}${uid}.`) === true;
};

/** A pool has the slots of one Instance. */
export const poolOf = (namespace: string, instance: string) => `${namespace}/${instance}`;

export const cdiName = (claimUid: string, device: string) => `${claimUid}-${device}`;

const nameCharsMax = 200;

/** Of a pool's one slice. */
export function sliceName(namespace: string, instance: string) {
  const plain = `akri.sh-${namespace}-${instance}`;
  if (plain.length <= nameCharsMax) return plain;
  const digest = createHash("sha256").update(plain).digest("hex").slice(0, 8);
  return `${plain.slice(0, nameCharsMax)}-${digest}`;
}
