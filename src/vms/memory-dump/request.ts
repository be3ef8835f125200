// What is asked about dumps of a machine's memory, and what its status then says. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import { badRequest, conflict } from "../../lib/status-error.ts";

/** `status.memoryDumpRequest`. */
export interface DumpRequest {
  claimName: string;
  phase: string;
  remove?: boolean;
  startTimestamp?: string;
  endTimestamp?: string;
  fileName?: string;
  message?: string;
}

/** Of a claim: the file on it. */
export const dumpAnnotation = "kubevirt.io/memory-dump";

const ofMachine = { group: "kubevirt.io", resource: "virtualmachine" };
const ofClaim = { group: "kubevirt.io", resource: "persistentvolumeclaim" };
/** QEMU's notes beside the guest's memory. */
const besideBytes = 100 * 1024 * 1024;

const isOver = ({ phase }: DumpRequest) => phase === "Completed" || phase === "Failed";

function mustHold(vmi: KubeObject, { metadata, spec }: KubeObject) {
  const { name } = metadata;
  if (spec.volumeMode === "Block") throw conflict(ofClaim, name, "pvc should be filesystem pvc");
  const modes: string[] = spec.accessModes ?? [];
  if (modes.length > 0 && modes.every((mode) => mode === "ReadOnlyMany")) {
    throw conflict(ofClaim, name, "pvc access mode can't be read only");
  }
  const { domain } = vmi.spec;
  const guest = domain.resources?.requests?.memory ?? domain.memory?.guest ?? "0";
  const wanted = parseQuantity(guest) + besideBytes;
  const given = parseQuantity(spec.resources?.requests?.storage ?? "0");
  if (given < wanted) {
    throw conflict(ofClaim, name, `pvc size [${given}] should be bigger then [${wanted}]`);
  }
}

/** The claim that a dump goes to: the one that is named, else that of the dump before. */
export function claimOf(vm: KubeObject, asked: { claimName?: string }): string {
  const known: DumpRequest | undefined = vm.status?.memoryDumpRequest;
  const { name } = vm.metadata;
  const claimName = asked.claimName || known?.claimName;
  if (!claimName) throw badRequest("Memory dump requires claim name to be set");
  if (known && known.claimName !== claimName) {
    const why =
      `can't request memory dump for pvc [${claimName}] while pvc [${known.claimName}] ` +
      "is still associated as the memory dump pvc";
    throw conflict(ofMachine, name, why);
  }
  if (known?.phase === "Dissociating") {
    const why = `can't dump memory for pvc [${claimName}] a remove memory dump request is in progress`;
    throw conflict(ofMachine, name, why);
  }
  if (known && !isOver(known)) {
    const why = `memory dump request for pvc [${claimName}] already in progress`;
    throw conflict(ofMachine, name, why);
  }
  return claimName;
}

export function dumpRequested(vmi: KubeObject, claim: KubeObject): DumpRequest {
  mustHold(vmi, claim);
  return { claimName: claim.metadata.name, phase: "Associating" };
}

export function removalRequested(vm: KubeObject): DumpRequest {
  const known: DumpRequest | undefined = vm.status?.memoryDumpRequest;
  const { name } = vm.metadata;
  if (!known) {
    const why = `can't remove memory dump association for vm ${name}, no association found`;
    throw conflict(ofMachine, name, why);
  }
  if (known.remove) {
    const why = `memory dump remove request for pvc [${known.claimName}] already exists`;
    throw conflict(ofMachine, name, why);
  }
  return { claimName: known.claimName, phase: "Dissociating", remove: true };
}

/** `till-dumps-20300102-030405.memory.dump` */
export const dumpFile = (vm: string, { claimName, startTimestamp = "" }: DumpRequest) => {
  const [day = "", time = ""] = startTimestamp.replace(/[-:]|\..*|Z/g, "").split("T");
  return `${vm}-${claimName}-${day}-${time}.memory.dump`;
};
