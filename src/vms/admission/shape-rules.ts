// Fields of a VMI's spec that say something only beside others. Pure.
import { forbiddenValue, invalidValue } from "../../kinds/field-checks.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import type { FieldError } from "../../lib/status-error.ts";

const plugged = "nothing is plugged in later: a change starts with the next start";

/** Room for more than there is at the start is not kept. */
function ofRoom({ domain }: any, path: string): FieldError[] {
  const { cpu = {}, memory = {} } = domain;
  const { maxSockets, sockets = 1 } = cpu;
  const errors: FieldError[] = [];
  if (maxSockets !== undefined && maxSockets !== sockets) {
    errors.push(invalidValue(`${path}.domain.cpu.maxSockets`, maxSockets, plugged));
  }
  const { maxGuest, guest } = memory;
  const isMore = maxGuest !== undefined && guest !== undefined;
  if (isMore && parseQuantity(maxGuest) !== parseQuantity(guest)) {
    errors.push(invalidValue(`${path}.domain.memory.maxGuest`, maxGuest, plugged));
  }
  return errors;
}

function ofClock({ domain }: any, path: string): FieldError[] {
  const { utc, timezone } = domain.clock ?? {};
  if (!utc || !timezone) return [];
  return [forbiddenValue(`${path}.domain.clock.timezone`, "either utc or timezone is set")];
}

function ofDisk(disk: any, at: string): FieldError[] {
  const errors: FieldError[] = [];
  const { dedicatedIOThread, io, cache, blockSize } = disk;
  if (dedicatedIOThread && disk.disk?.bus !== "virtio") {
    const why = "only disks on the virtio bus have threads of their own";
    errors.push(forbiddenValue(`${at}.dedicatedIOThread`, why));
  }
  if (io === "native" && cache !== undefined && cache !== "none") {
    errors.push(invalidValue(`${at}.io`, io, "needs the cache none"));
  }
  const { logical, physical } = blockSize?.custom ?? {};
  if (logical && physical && logical > physical) {
    const why = "must not be larger than the physical size";
    errors.push(invalidValue(`${at}.blockSize.custom.logical`, logical, why));
  }
  return errors;
}

/** `path` is where the spec lies in the object. */
export function ofShape(spec: any, path: string): FieldError[] {
  const disks: any[] = spec.domain.devices?.disks ?? [];
  return [
    ...ofRoom(spec, path),
    ...ofClock(spec, path),
    ...disks.flatMap((one, i) => ofDisk(one, `${path}.domain.devices.disks[${i}]`)),
  ];
}
