// A replicated volume, decided: one step at a time, from its record and what is seen of its pods. Pure.
//
// Two nodes never write two histories: a write is acknowledged when every current copy has it, a copy is taken out
// of the current ones in the record before writes go on without it, and before somebody else writes, the copy at
// his node stops taking writes from whoever wrote before. So a writer that lost touch with the record waits for ever.
import type { ReplicationRecord } from "./record.ts";
import { currentNodes, withCurrent } from "./record.ts";

export interface User {
  name: string;
  uid: string;
  /** Machines write through QEMU to all copies, tasks to one, readers to none. */
  kind: "machine" | "task" | "reader";
  isGated: boolean;
  node?: string;
  /** Of a live migration's target: the VMI. */
  movesFor?: string;
  isOver: boolean;
  /** It ended by itself, with nothing on its way. */
  isClean: boolean;
}

/** Of the machine that writes, as its node tells. `silent`: the other copy does not answer. */
export interface MachineSeen {
  isReleased: boolean;
  link: "none" | "syncing" | "alike" | "broken" | "silent";
  /** Of the writer's disk. */
  bytes: number;
  isSwitching?: true;
}

export interface ReplicationSeen {
  record: ReplicationRecord;
  /** The oldest first. */
  users: User[];
  /** Nodes whose copy has a pod that runs. */
  up: string[];
  machine?: MachineSeen;
  /** The guest that moves is there, and waits. */
  hasArrived?: boolean;
  /** What the claim asks for, where that is more than it has. */
  wantedBytes?: number;
}

export type ReplicationStep =
  | { do: "nothing"; why?: string }
  | { do: "record"; record: ReplicationRecord; why: string }
  /** Ends what copies take from others, then records. */
  | { do: "take"; nodes: string[]; record: ReplicationRecord }
  | { do: "admit"; user: User; nodes: string[] }
  | { do: "attach"; from: string; to: string; sync: "none" | "full" }
  | { do: "detach"; from: string }
  /** Makes the writer's disk larger, or where nobody writes, all copies. */
  | { do: "grow"; from?: string; bytes: number }
  | { do: "grown"; bytes: number }
  | { do: "release"; from: string }
  /** Its pod is of no use any more. */
  | { do: "end"; user: User; why: string };

const nothing: ReplicationStep = { do: "nothing" };

function afterWriter(record: ReplicationRecord, writer: User | undefined): ReplicationStep {
  const { writer: before, ...rest } = record;
  const isAlone = currentNodes(record).length < 2;
  // One that was never let write has changed nothing.
  const identical = isAlone || writer?.isClean === true || (record.identical && !before!.released);
  const why = `${before!.pod} writes no more`;
  return { do: "record", record: { ...rest, identical }, why };
}

function letIn({ record, up }: ReplicationSeen, user: User): ReplicationStep {
  const nodes = currentNodes(record).filter((node) => up.includes(node));
  if (nodes.length === 0) return { do: "nothing", why: "no current copy can be reached" };
  if (user.kind === "reader") return { do: "admit", user, nodes };
  const chosen = user.kind === "task" ? nodes.slice(0, 1) : nodes;
  const writer = { pod: user.name, uid: user.uid, nodes: chosen };
  const next = user.kind === "task" ? withCurrent(record, chosen) : record;
  return { do: "take", nodes: chosen, record: { ...next, writer } };
}

function start(record: ReplicationRecord, from: string, { link }: MachineSeen): ReplicationStep {
  const peer = record.copies.find(({ node }) => node !== from);
  const isIn = peer?.state === "Current";
  const { writer } = record;
  if (isIn && record.identical && !writer!.released && link === "none") {
    return { do: "attach", from, to: peer.node, sync: "none" };
  }
  const stays = isIn && link === "alike";
  if (writer!.released && isIn === stays) return { do: "release", from };
  const next = withCurrent(record, stays ? [from, peer.node] : [from]);
  return {
    do: "record",
    record: { ...next, identical: false, writer: { ...writer!, released: true } },
    why: stays ? `${from} writes to both copies` : `${from} writes to its own copy alone`,
  };
}

/** A disk grows while it has no link, so the other copy is made anew; it grows first, so that no write of it fails. */
function grow(seen: ReplicationSeen, from: string, machine: MachineSeen): ReplicationStep {
  const { record, wantedBytes = 0 } = seen;
  const { link, bytes } = machine;
  if (bytes >= wantedBytes) return { do: "grown", bytes: wantedBytes };
  const peer = record.copies.find(({ node }) => node !== from);
  if (peer?.state === "Current") {
    return { do: "record", record: withCurrent(record, [from]), why: `the disk on ${from} grows` };
  }
  return link === "none" ? { do: "grow", from, bytes: wantedBytes } : { do: "detach", from };
}

/** Where nobody writes: all at once, so that they stay the same. */
function growAll({ record, up, wantedBytes = 0 }: ReplicationSeen): ReplicationStep {
  const away = record.copies.find(({ node }) => !up.includes(node));
  if (!away) return { do: "grow", bytes: wantedBytes };
  return { do: "nothing", why: `it does not grow while the copy on ${away.node} is away` };
}

function follow(seen: ReplicationSeen, from: string, machine: MachineSeen): ReplicationStep {
  const { record, up, wantedBytes } = seen;
  const { link } = machine;
  const peer = record.copies.find(({ node }) => node !== from);
  if (!peer || machine.isSwitching) return nothing;
  if (wantedBytes && link !== "silent" && link !== "broken") return grow(seen, from, machine);
  if (peer.state === "Current") {
    if (link === "alike") return nothing;
    const why = `the copy on ${peer.node} is ${link === "silent" ? "out of reach" : "cut off"}`;
    return { do: "record", record: withCurrent(record, [from]), why };
  }
  if (link === "alike") {
    const why = `the copy on ${peer.node} has all again`;
    return { do: "record", record: withCurrent(record, [from, peer.node]), why };
  }
  if (link === "broken" || link === "silent") return { do: "detach", from };
  if (link === "none" && up.includes(peer.node)) {
    return { do: "attach", from, to: peer.node, sync: "full" };
  }
  return nothing;
}

/** A guest that moved stood still at its end, with the same in both copies; whoever has it now writes. */
function hand(record: ReplicationRecord, { name, uid, ...mover }: User): ReplicationStep {
  const node = mover.node!;
  if (!currentNodes(record).includes(node)) {
    const why = `${name} came to a copy that is stale`;
    return { do: "end", user: { ...mover, name, uid }, why };
  }
  const writer = { pod: name, uid, nodes: [node] };
  return { do: "take", nodes: [node], record: { ...record, identical: true, writer } };
}

/** A guest moves to a copy that has all; until there is one, its new pod waits. */
function letMove({ record, up, machine }: ReplicationSeen, mover: User, from: User) {
  const isWell = record.writer?.released && machine?.link === "alike";
  const nodes = currentNodes(record).filter((node) => node !== from.node && up.includes(node));
  return isWell && nodes.length > 0 ? { do: "admit" as const, user: mover, nodes } : undefined;
}

export function planReplication(seen: ReplicationSeen): ReplicationStep {
  const { record, machine } = seen;
  const { writer } = record;
  const isMover = ({ movesFor, isOver, uid }: User) =>
    movesFor !== undefined && !isOver && uid !== writer?.uid;
  const mover = seen.users.find(isMover);
  const users = seen.users.filter((user) => !isMover(user));
  if (mover && !mover.isGated && seen.hasArrived) return hand(record, mover);
  const user = users.find(({ uid }) => uid === writer?.uid);
  if (writer && (!user || user.isOver)) return afterWriter(record, user);
  const waiting = users.find(
    ({ isGated, isOver, uid }) => isGated && !isOver && uid !== writer?.uid,
  );
  if (!writer) {
    if (waiting) return letIn(seen, waiting);
    return seen.wantedBytes ? growAll(seen) : nothing;
  }
  if (user!.isGated) return { do: "admit", user: user!, nodes: writer.nodes };
  const { node } = user!;
  const move = mover?.isGated && letMove(seen, mover, user!);
  if (move) return move;
  const step =
    user!.kind === "machine" && node && machine
      ? machine.isReleased
        ? follow(seen, node, machine)
        : start(record, node, machine)
      : nothing;
  if (step.do === "nothing" && waiting) return { do: "nothing", why: `${writer.pod} uses it` };
  return step;
}
