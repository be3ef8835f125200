// What may be asked of a VM that runs, wherever it runs: by whoever serves the subresources, snapshots and
// migrations. The node answers (`node/`), in process or through its tunnel. Expected failures are
// StatusErrors: BadRequest where the guest or QEMU cannot, Conflict where the state forbids it.
import type { Duplex } from "node:stream";
import type { NodeConnection } from "../lib/node-connection.ts";
import type { DomainDisk } from "./domain.ts";

/** Name of the node's part that answers for VMs. */
export const vmsPart = "vms";
/** And of the one that answers for copies of replicated volumes. */
export const replicasPart = "replicas";

export interface GuestFilesystem {
  diskName: string;
  mountPoint: string;
  fileSystemType: string;
  usedBytes: number;
  totalBytes: number;
}

/** Where the source of a live migration sends the VM. */
export interface MigrationTarget {
  host: string;
  port: number;
  /** Where its disks go, by volume; absent when disks are shared. */
  nbdPort?: number;
  /** A secret of this migration alone, hexadecimal; both ends speak TLS by it. */
  key: string;
  /** Whether the guest may go on here before all of its memory has come, where that was asked. */
  postCopy?: { isAble: true } | { isAble: false; why: string };
}

export interface MigrationOptions {
  bandwidthBytesPerSecond?: number;
  /** When the guest goes on at the target although not all of its memory is there; never where absent. */
  postCopyAfterMs?: number;
  /** When it is given up although its memory is on its way; never where absent. */
  abortAfterMs?: number;
  /** Volumes whose content goes along. */
  copy: string[];
  autoConverge: boolean;
}

export interface MigrationProgress {
  /**
   * `post-copy`: the guest runs at the target. `interrupted`: it does, and waits for a new way for the rest of its
   * memory. `lost`: that does not come any more.
   */
  phase:
    | "none"
    | "copying disks"
    | "running"
    | "post-copy"
    | "interrupted"
    | "completed"
    | "failed"
    | "cancelled"
    | "lost";
  transferredBytes: number;
  remainingBytes: number;
  totalBytes: number;
  downtimeMs?: number;
  totalMs?: number;
  error?: string;
}

/** Where a copy of a disk takes writes, from one writer alone. */
export interface CopyTarget {
  host: string;
  port: number;
  /** Of the export, and the key (hexadecimal) that both ends speak TLS by: made anew for each writer. */
  name: string;
  key: string;
  /** Exports before this one, the newest first, since anybody else may have written to it. */
  before: string[];
}

export interface CopyAttachment extends CopyTarget {
  /** Where the copy lies. */
  node: string;
  /** `none`: both are the same, and nobody has written since. */
  sync: "none" | "full";
}

export interface CopyFilling {
  bytes: number;
  /** Not the whole disk: what changed while it was away. */
  isPart: boolean;
}

/**
 * From a writer to a copy. `silent`: it does not answer, and writes wait. `broken`: it refused a write. `unknown`:
 * QEMU does not say, as it waits for another copy.
 */
export type CopyLink = "none" | "syncing" | "alike" | "broken" | "silent" | "unknown";

/** A replicated disk as its writer sees it. */
export interface CopyView {
  /** The guest may run. */
  isReleased: boolean;
  /** Of the writer's disk; 0 where QEMU does not say. */
  bytes: number;
  /** To the other copies, by their nodes. */
  links: Record<string, CopyLink>;
  /** It moves just now: the guest stands still, and its copies are the same. */
  isSwitching?: true;
  /** The guest stands still until it is recorded that a copy is not its own any more. */
  isWaiting?: true;
}

export interface VmControl {
  /** `hosts`: of the pods of the other copies, by their nodes; "" where there is none. */
  viewCopies(volume: string, hosts: Record<string, string>): Promise<CopyView>;
  /** Resolves with how many bytes a copy that is to be filled gets. */
  attachCopy(volume: string, target: CopyAttachment): Promise<CopyFilling>;
  detachCopies(volume: string, nodes: string[]): Promise<void>;
  /** Of a migration's target with replicated disks: the guest is here, and waits to be let run. */
  hasArrived(): Promise<boolean>;
  /** Lets a guest with replicated disks run. */
  release(): Promise<void>;
  state(): Promise<{ status: string; paused: boolean; agent: boolean }>;
  pause(): Promise<void>;
  unpause(): Promise<void>;
  /** By the agent, else by ACPI. */
  softReboot(): Promise<void>;
  reset(): Promise<void>;
  /** Presses the power button. */
  powerDown(): Promise<void>;
  /** PNG. */
  screenshot(): Promise<Uint8Array>;
  /** `holder`: uid of the pod that has the volume mounted on this node. */
  addVolume(disk: DomainDisk, holder: string): Promise<void>;
  removeVolume(volume: string): Promise<void>;
  /** The disk is to have these bytes, after its claim grew; one that has as many stays as it is. */
  resizeVolume(volume: string, bytes: number): Promise<void>;
  /** v1 VirtualMachineInstanceGuestAgentInfo, as far as the agent tells. */
  guestInfo(): Promise<Record<string, any>>;
  users(): Promise<{ userName: string; domain?: string; loginTime: number }[]>;
  filesystems(): Promise<GuestFilesystem[]>;
  guestExec(command: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }>;
  guestPing(): Promise<void>;
  /** Thaws by itself after `seconds`. */
  freeze(seconds: number): Promise<void>;
  thaw(): Promise<void>;
  /**
   * A copy of the disks as they are at one moment, while the guest runs: raw files NAME.img in the folder `to` of
   * the launcher's run volume or of the volume that pod `holder` has mounted.
   */
  backup(
    volumes: string[],
    to: { holder: string; volume: string },
  ): Promise<{ /** The guest's file systems stood still when it began. */ quiesced: boolean }>;
  /** The guest's memory as file `name` of a volume that pod `holder` has mounted; resolves when it is whole. */
  dumpMemory(name: string, to: { holder: string; volume: string }): Promise<void>;
  /** Of the target: waits for the other side from now on. */
  prepareMigration(copy: string[], postCopy?: boolean): Promise<MigrationTarget>;
  migrate(target: MigrationTarget, options: MigrationOptions): Promise<void>;
  /** Answers once its phase is another than `known`, after a while in any case. */
  migration(known?: MigrationProgress["phase"]): Promise<MigrationProgress>;
  /** Of the target, where the way broke after the guest went on: waits for the other side once more. */
  recoverMigration(): Promise<void>;
  /** Of the source: takes a new way. */
  resumeMigration(): Promise<void>;
  cancelMigration(): Promise<void>;
  /** The serial console: raw bytes. A new one ends the one before. */
  openConsole(): Promise<Duplex>;
  /** RFB. */
  openVnc(): Promise<Duplex>;
  /** A free slot for a USB device of the client: usbredir's protocol. */
  openUsb(): Promise<Duplex>;
  /** To a port of the guest: framed datagrams (`datagrams.ts`). */
  openUdp(port: number): Promise<Duplex>;
}

/** The control of the VM in a launcher pod on the node behind `connection`. */
export function vmControl(connection: NodeConnection, podUid: string): VmControl {
  const ask =
    (method: string) =>
    (...args: unknown[]) =>
      connection.ask(vmsPart, { podUid, method, args });
  const handler: ProxyHandler<object> = {
    get: (_, method) => {
      if (typeof method !== "string" || method === "then") return undefined;
      if (method.startsWith("open")) {
        return (...args: unknown[]) => connection.open(vmsPart, { podUid, method, args });
      }
      if (method === "screenshot") {
        return async () => Buffer.from((await ask(method)()) as string, "base64");
      }
      return ask(method);
    },
  };
  return new Proxy({}, handler) as VmControl;
}
