// How full the volumes of claims are: as their driver says, or as the file system does that they lie on.
import { statfs } from "node:fs/promises";
import type { CsiDrivers } from "../csi/drivers.ts";
import { units } from "../csi/protocol.ts";
import type { DrivenVolume, Volume } from "../volumes/volume.ts";

/** A page waits no longer for a driver, in milliseconds. */
const driverMsMax = 5000;

export interface Room {
  available: number;
  capacity: number;
  used: number;
}

export interface VolumeMeasure {
  /** As the pod calls it. */
  name: string;
  claim: string;
  bytes?: Room;
  inodes?: Room;
  /** What its driver says of its health; absent where it says nothing. */
  isAbnormal?: boolean;
}

type Found = Pick<VolumeMeasure, "bytes" | "inodes" | "isAbnormal">;

async function ofDriver(csi: CsiDrivers | undefined, volume: DrivenVolume): Promise<Found> {
  const { source, target, staging = "" } = volume;
  const driver = csi?.find(source.driver);
  if (!driver || !(await driver.can("tellsUsage"))) return {};
  const request = {
    volume_id: source.handle,
    volume_path: target,
    staging_target_path: staging,
  };
  const { usage = [], volume_condition: condition } = await driver.call(
    "NodeGetVolumeStats",
    request,
    driverMsMax,
  );
  const room = (wanted: number): Room | undefined => {
    const found = usage.find(({ unit }: { unit: number }) => unit === wanted);
    return found && { available: found.available, capacity: found.total, used: found.used };
  };
  const [bytes, inodes] = [room(units.bytes), room(units.inodes)];
  const tells = condition && (await driver.can("tellsCondition"));
  return {
    ...(bytes && { bytes }),
    ...(inodes && { inodes }),
    ...(tells && { isAbnormal: condition.abnormal }),
  };
}

async function ofFileSystem(path: string): Promise<Found> {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path);
  const [capacity, available, used] = [blocks, bavail, blocks - bfree].map((one) => one * bsize);
  return {
    bytes: { capacity: capacity!, available: available!, used: used! },
    inodes: { capacity: files, available: ffree, used: files - ffree },
  };
}

async function measure(csi: CsiDrivers | undefined, { driven, device, hostPath }: Volume) {
  if (driven) return ofDriver(csi, driven);
  return device ? {} : ofFileSystem(hostPath);
}

/** Of a pod's volumes; one that cannot be asked is left out. */
export async function measureVolumes(
  csi: CsiDrivers | undefined,
  volumes: ReadonlyMap<string, Volume>,
): Promise<VolumeMeasure[]> {
  const asked = [...volumes].map(async ([name, volume]): Promise<VolumeMeasure[]> => {
    const { claimName: claim } = volume;
    if (claim === undefined) return [];
    try {
      return [{ name, claim, ...(await measure(csi, volume)) }];
    } catch {
      return [];
    }
  });
  return (await Promise.all(asked)).flat();
}
