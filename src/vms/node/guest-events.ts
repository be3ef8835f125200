// What QEMU tells of a guest, as the Event that people of KubeVirt know. Pure.
import type { QmpEvent } from "./qmp.ts";

export interface GuestEvent {
  reason: string;
  message: string;
}

/** `rebootAsked`: somebody asked the guest to reboot by itself, and it has not yet. */
export function rebootEvent(
  { event, data = {} }: QmpEvent,
  rebootAsked: boolean,
): GuestEvent | undefined {
  if (event !== "RESET") return undefined;
  if (rebootAsked) {
    return { reason: "SoftRebooted", message: "VirtualMachineInstance was soft rebooted." };
  }
  if (data.reason !== "host-qmp-system-reset") return undefined;
  return { reason: "Reset", message: "VirtualMachineInstance was reset." };
}
