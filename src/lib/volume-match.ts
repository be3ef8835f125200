// Whether a persistent volume could serve a claim, wherever the claim's pod runs. The scheduler and the binder
// ask the same question.
import { compileSelector } from "./label-selector.ts";
import { amountOf } from "./pod-requests.ts";

interface Volume {
  metadata: { labels?: Record<string, string> };
  spec?: any;
  status?: any;
}

interface Claim {
  metadata: { namespace?: string; name: string; uid: string };
  spec?: any;
}

/** True when the volume is kept for this claim, by whoever wrote it. */
export function isKeptFor({ spec }: Volume, { metadata }: Claim): boolean {
  const taker = spec?.claimRef;
  if (taker?.namespace !== metadata.namespace || taker?.name !== metadata.name) return false;
  return !taker.uid || taker.uid === metadata.uid;
}

export function volumeSuits(volume: Volume, claim: Claim): boolean {
  const { spec = {}, status } = volume;
  const wanted = claim.spec ?? {};
  if (spec.claimRef) {
    if (!isKeptFor(volume, claim)) return false;
  } else if (status?.phase && status.phase !== "Available") return false;
  if ((spec.storageClassName ?? "") !== (wanted.storageClassName ?? "")) return false;
  if ((spec.volumeAttributesClassName ?? "") !== (wanted.volumeAttributesClassName ?? "")) {
    return false;
  }
  if ((spec.volumeMode ?? "Filesystem") !== (wanted.volumeMode ?? "Filesystem")) return false;
  const modes: string[] = spec.accessModes ?? [];
  if (!(wanted.accessModes ?? []).every((mode: string) => modes.includes(mode))) return false;
  const asked = wanted.resources?.requests?.storage ?? "0";
  if (sizeOf(volume) < amountOf("storage", asked)) return false;
  return !wanted.selector || compileSelector(wanted.selector)(volume.metadata.labels);
}

/** Bytes. */
export const sizeOf = ({ spec }: Volume) => amountOf("storage", spec?.capacity?.storage ?? "0");
