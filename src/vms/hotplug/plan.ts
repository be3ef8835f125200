// Which volumes of a running VMI are to be plugged in and pulled out. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { claimInfo } from "../instance/claim-info.ts";
import { isHotplugged } from "../instance/launcher-volumes.ts";

export interface HotplugPlan {
  /** Of the spec, not in the guest yet. */
  add: { name: string; claim: string }[];
  /** In the guest, or on the way, and not in the spec. */
  remove: string[];
}

const claimOf = (volume: any): string =>
  volume.persistentVolumeClaim?.claimName ?? volume.dataVolume.name;

export function planHotplug({ spec, status }: KubeObject): HotplugPlan {
  const wanted: any[] = (spec.volumes ?? []).filter(isHotplugged);
  const known: any[] = (status?.volumeStatus ?? []).filter((one: any) => one.hotplugVolume);
  const ready = new Set(known.filter(({ phase }) => phase === "Ready").map(({ name }) => name));
  return {
    add: wanted
      .filter(({ name }) => !ready.has(name))
      .map((volume) => ({ name: volume.name, claim: claimOf(volume) })),
    remove: known
      .map(({ name }) => name)
      .filter((name) => !wanted.some((volume) => volume.name === name)),
  };
}

export interface VolumeStatus {
  name: string;
  phase: string;
  reason: string;
  message: string;
  /** Of its disk. */
  bus?: string;
  pod?: KubeObject;
  claim?: KubeObject | undefined;
}

/** The first name that no disk has yet, as a guest of Linux gives it. */
function nextTarget(list: any[], bus: string): string {
  const prefix = bus === "virtio" ? "vd" : "sd";
  const taken = new Set(list.map(({ target }) => target));
  const letters = [..."abcdefghijklmnopqrstuvwxyz"];
  const names = ["", ...letters].flatMap((one) => letters.map((two) => prefix + one + two));
  return names.find((name) => !taken.has(name)) ?? "";
}

/** `list` with what is known of one volume; what the node says of it stays. */
export function withVolumeStatus(list: any[] = [], next: VolumeStatus): any[] {
  const { name, phase, reason, message, pod, claim, bus = "scsi" } = next;
  const known = list.find((one) => one.name === name);
  const target = known?.target || (phase === "Ready" ? nextTarget(list, bus) : "");
  const entry = {
    ...known,
    target,
    ...{ name, phase, reason, message },
    hotplugVolume: pod
      ? { attachPodName: pod.metadata.name, attachPodUID: pod.metadata.uid }
      : (known?.hotplugVolume ?? {}),
    ...(claim && { persistentVolumeClaimInfo: claimInfo(claim) }),
  };
  return known ? list.map((one) => (one === known ? entry : one)) : [...list, entry];
}
