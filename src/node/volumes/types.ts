// The types of volume this node can make; any other is refused by its name.
import { configMap } from "./config-map.ts";
import { csi } from "./csi.ts";
import { downwardApi } from "./downward-api.ts";
import { emptyDir } from "./empty-dir.ts";
import { ephemeral } from "./ephemeral.ts";
import { hostPath } from "./host-path.ts";
import { image } from "./image.ts";
import { persistentVolumeClaim } from "./persistent-volume-claim.ts";
import { projected } from "./projected.ts";
import { secret } from "./secret.ts";
import type { VolumeType } from "./volume.ts";
import { VolumeError } from "./volume.ts";

const types = new Map<string, VolumeType>([
  ["configMap", configMap],
  ["csi", csi],
  ["downwardAPI", downwardApi],
  ["emptyDir", emptyDir],
  ["ephemeral", ephemeral],
  ["hostPath", hostPath],
  ["image", image],
  ["persistentVolumeClaim", persistentVolumeClaim],
  ["projected", projected],
  ["secret", secret],
]);

export const typeNamed = (name: string): VolumeType | undefined => types.get(name);

export const typeNameOf = (volume: { name: string }) =>
  Object.keys(volume).find((key) => key !== "name") ?? "none";

export function volumeType(volume: { name: string }): VolumeType {
  const type = typeNameOf(volume);
  const known = types.get(type);
  if (!known) throw new VolumeError(`volume ${volume.name}: type ${type} is not supported`);
  return known;
}

/** In the words of Kubernetes' metrics. */
export const pluginOf = (type: string) =>
  `kubernetes.io/${type === "persistentVolumeClaim" ? "persistent-claim" : type.replace(/[A-Z]+/g, (word) => `-${word.toLowerCase()}`)}`;
