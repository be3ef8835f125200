// A volume of a CSI driver, whoever describes it: a PersistentVolume, or the pod itself. Pure.
import { createHash } from "node:crypto";
import type { KubeObject } from "../../kinds/object.ts";
import type { Pod } from "../pods/pod.ts";

interface SecretRef {
  namespace: string;
  name: string;
}

export interface CsiSource {
  driver: string;
  handle: string;
  /** Of the volume's folder. */
  name: string;
  attributes: Record<string, string>;
  fsType: string;
  mountOptions: string[];
  accessMode: string;
  isBlock: boolean;
  readOnly: boolean;
  isEphemeral: boolean;
  stageSecret?: SecretRef;
  publishSecret?: SecretRef;
  expandSecret?: SecretRef;
}

/** A PersistentVolume as a driver is told of it. Pure. */
export function sourceOf(volume: KubeObject, readOnly: boolean): CsiSource {
  const { csi, accessModes: modes = [], mountOptions = [], volumeMode } = volume.spec;
  const most = ["ReadWriteMany", "ReadOnlyMany", "ReadWriteOncePod"];
  return {
    driver: csi.driver,
    handle: csi.volumeHandle,
    name: volume.metadata.name,
    attributes: csi.volumeAttributes ?? {},
    fsType: csi.fsType ?? "",
    mountOptions,
    accessMode: most.find((mode) => modes.includes(mode)) ?? "ReadWriteOnce",
    isBlock: volumeMode === "Block",
    readOnly: readOnly || csi.readOnly === true,
    isEphemeral: false,
    ...(csi.nodeStageSecretRef && { stageSecret: csi.nodeStageSecretRef }),
    ...(csi.nodePublishSecretRef && { publishSecret: csi.nodePublishSecretRef }),
    ...(csi.nodeExpandSecretRef && { expandSecret: csi.nodeExpandSecretRef }),
  };
}

interface InlineVolume {
  name: string;
  [type: string]: any;
}

/** A volume that the pod asks of a driver itself. */
export function inlineSource({ pod, volume }: { pod: Pod; volume: InlineVolume }): CsiSource {
  const { driver, readOnly, fsType, volumeAttributes, nodePublishSecretRef } = volume["csi"];
  const id = createHash("sha256").update(`${pod.metadata.uid}/${volume.name}`).digest("hex");
  const namespace = pod.metadata.namespace ?? "";
  return {
    driver,
    handle: `csi-${id}`,
    name: volume.name,
    attributes: volumeAttributes ?? {},
    fsType: fsType ?? "",
    mountOptions: [],
    accessMode: "ReadWriteOnce",
    isBlock: false,
    readOnly: readOnly ?? false,
    isEphemeral: true,
    ...(nodePublishSecretRef && { publishSecret: { namespace, name: nodePublishSecretRef.name } }),
  };
}

/** Why the driver cannot have such a volume, by what its CSIDriver says. */
export function refusedMode(source: CsiSource, driver: KubeObject["spec"]): string | undefined {
  const mode = source.isEphemeral ? "Ephemeral" : "Persistent";
  const known: string[] = driver?.volumeLifecycleModes ?? ["Persistent"];
  if (known.includes(mode)) return undefined;
  return `volume mode "${mode}" not supported by driver ${source.driver} (only supports ${JSON.stringify(known)})`;
}
