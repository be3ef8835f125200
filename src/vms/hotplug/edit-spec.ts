// A VMI's spec with a volume more or less. Pure.
import { badRequest, conflict } from "../../lib/status-error.ts";
import { isHotplugged } from "../instance/launcher-volumes.ts";

export interface VolumeRequest {
  /** Of the volume. */
  name: string;
  disk: any;
  volumeSource: any;
}

const of = { group: "kubevirt.io", resource: "virtualmachineinstance" };
const buses = ["scsi", "virtio"];

function sourceOf({ persistentVolumeClaim, dataVolume }: any) {
  if (persistentVolumeClaim) {
    return { persistentVolumeClaim: { ...persistentVolumeClaim, hotpluggable: true } };
  }
  if (dataVolume) return { dataVolume: { ...dataVolume, hotpluggable: true } };
  throw badRequest("volumeSource: only persistentVolumeClaim and dataVolume are plugged in");
}

/** `machine` is the name of the one whose spec it is. */
export function withVolume(
  spec: any,
  { name, disk, volumeSource }: VolumeRequest,
  machine: string,
) {
  const volumes: any[] = spec.volumes ?? [];
  const { domain } = spec;
  if (domain.devices?.disableHotplug) throw conflict(of, machine, "hotplug is disabled");
  if (volumes.some((one) => one.name === name)) {
    throw conflict(
      of,
      machine,
      `Unable to add volume [${name}] because volume with that name already exists`,
    );
  }
  const bus = disk.disk?.bus ?? disk.lun?.bus ?? "scsi";
  if (!disk.disk) throw badRequest("disk.disk: only disks are plugged in");
  if (!buses.includes(bus))
    throw badRequest(`disk.disk.bus: ${bus} is not plugged in, only scsi and virtio`);
  const added = { ...disk, name, disk: { ...disk.disk, bus } };
  const devices = { ...domain.devices, disks: [...(domain.devices?.disks ?? []), added] };
  const volume = { name, ...sourceOf(volumeSource) };
  return { ...spec, volumes: [...volumes, volume], domain: { ...domain, devices } };
}

export function withoutVolume(spec: any, name: string, machine: string) {
  const volumes: any[] = spec.volumes ?? [];
  const found = volumes.find((one) => one.name === name);
  if (!found) {
    throw conflict(of, machine, `Unable to remove volume [${name}] because it does not exist`);
  }
  if (!isHotplugged(found)) {
    throw conflict(of, machine, `Unable to remove volume [${name}] because it is not hotpluggable`);
  }
  const without = (list: any[] = []) => list.filter((one) => one.name !== name);
  const { domain } = spec;
  const devices = { ...domain.devices, disks: without(domain.devices?.disks) };
  return { ...spec, volumes: without(volumes), domain: { ...domain, devices } };
}
