// How QEMU calls what belongs to the copies of a VM's disk. Pure.
import { blockNode } from "../../qemu/disk-arguments.ts";
import type { Vm } from "../vm.ts";

/** How the jobs of all copies of a disk begin; the rest is the copy's node. */
export const jobsOf = (volume: string) => `copy-${blockNode(volume)}-`;
export const jobOf = (volume: string, node: string) => `${jobsOf(volume)}${node}`;
export const copyNode = (volume: string, node: string) => blockNode(`copy of ${volume} on ${node}`);
export const linkNode = (volume: string, node: string) => blockNode(`link to ${volume} on ${node}`);
/** What a copy missed goes by a link of its own: QEMU's mirror shares its target with nobody. */
export const catchUpJobOf = (volume: string, node: string) =>
  `catchup-${blockNode(volume)}-${node}`;
export const catchUpNode = (volume: string, node: string) =>
  blockNode(`what the copy of ${volume} on ${node} missed`);
export const catchUpLinkNode = (volume: string, node: string) =>
  blockNode(`link for what the copy of ${volume} on ${node} missed`);
export const keyOf = (volume: string, node: string) => `tls-${copyNode(volume, node)}`;

export const replicatedDisks = ({ domain }: Vm): string[] =>
  domain.disks.flatMap(({ name, source }) =>
    source.kind === "file" && source.replicated ? [name] : [],
  );
