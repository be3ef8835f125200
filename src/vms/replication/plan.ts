// A replicated volume, decided: one step at a time, from its record and what is seen of its pods. Pure.
//
// Two nodes never write two histories: a write is acknowledged when every current copy has it, a copy is taken out
// of the current ones in the record before writes go on without it, and before somebody else writes, the copy at
// his node stops taking writes from whoever wrote before. So a writer that lost touch with the record waits for ever.
import type { CopyLink, CopyView } from "../control.ts";
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

/** Of the machine that writes, as its node tells. */
export type MachineSeen = CopyView;

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
  | { do: "detach"; from: string; to: string[] }
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

/** The other copies, and how the writer is linked to them. */
function peersOf({ copies }: ReplicationRecord, from: string, { links }: MachineSeen) {
  const peers = copies.filter(({ node }) => node !== from);
  return (isCurrent: boolean, ...states: CopyLink[]) =>
    peers
      .filter(({ state }) => (state === "Current") === isCurrent)
      .map(({ node }) => node)
      .filter((node) => states.length === 0 || states.includes(links[node] ?? "none"));
}

function start(record: ReplicationRecord, from: string, machine: MachineSeen): ReplicationStep {
  const peers = peersOf(record, from, machine);
  const { writer } = record;
  if (record.identical && !writer!.released) {
    const [to] = peers(true, "none");
    if (to) return { do: "attach", from, to, sync: "none" };
    if (peers(true, "syncing", "unknown").length > 0) return nothing;
  }
  const alike = peers(true, "alike");
  if (writer!.released && alike.length === peers(true).length) return { do: "release", from };
  return {
    do: "record",
    record: {
      ...withCurrent(record, [from, ...alike]),
      ...{ identical: false, writer: { ...writer!, released: true } },
    },
    why:
      alike.length > 0
        ? `${from} writes to its own copy and to ${alike.join(" and ")}`
        : `${from} writes to its own copy alone`,
  };
}

/** A disk grows while it has no link, so the others are made anew; they grow first, so that no write to them fails. */
function grow(seen: ReplicationSeen, from: string, machine: MachineSeen): ReplicationStep {
  const { record, wantedBytes = 0 } = seen;
  const peers = peersOf(record, from, machine);
  if (machine.bytes >= wantedBytes) return { do: "grown", bytes: wantedBytes };
  if (peers(true).length > 0) {
    return { do: "record", record: withCurrent(record, [from]), why: `the disk on ${from} grows` };
  }
  const linked = peers(false, "alike", "syncing");
  if (linked.length > 0) return { do: "detach", from, to: linked };
  return { do: "grow", from, bytes: wantedBytes };
}

/** Where nobody writes: all at once, so that they stay the same. */
function growAll({ record, up, wantedBytes = 0 }: ReplicationSeen): ReplicationStep {
  const away = record.copies.find(({ node }) => !up.includes(node));
  if (!away) return { do: "grow", bytes: wantedBytes };
  return { do: "nothing", why: `it does not grow while the copy on ${away.node} is away` };
}

/** Writes that wait for a copy go on once it is let go; so all that hold them up are, at once. */
function follow(seen: ReplicationSeen, from: string, machine: MachineSeen): ReplicationStep {
  const { record, up, wantedBytes } = seen;
  if (machine.isSwitching) return nothing;
  const peers = peersOf(record, from, machine);
  const lost = peers(true, "none", "syncing", "broken", "silent");
  if (lost.length > 0) {
    const is = lost.some((node) => machine.links[node] === "silent") ? "out of reach" : "cut off";
    const kept = currentNodes(record).filter((node) => !lost.includes(node));
    const why = `the copy on ${lost.join(" and ")} is ${is}`;
    return { do: "record", record: withCurrent(record, kept), why };
  }
  const states: CopyLink[] = ["broken", "silent"];
  const dead = peers(false, ...states, ...(machine.isWaiting ? (["none"] as const) : []));
  if (dead.length > 0) return { do: "detach", from, to: dead };
  if (peers(false, "unknown").length + peers(true, "unknown").length > 0) return nothing;
  if (wantedBytes) return grow(seen, from, machine);
  const back = peers(false, "alike");
  if (back.length > 0) {
    const why = `the copy on ${back.join(" and ")} has all again`;
    return { do: "record", record: withCurrent(record, [...currentNodes(record), ...back]), why };
  }
  const [to] = peers(false, "none").filter((node) => up.includes(node));
  const isBusy = peers(false, "syncing").length > 0 || isLeaving(seen);
  return to && !isBusy ? { do: "attach", from, to, sync: "full" } : nothing;
}

const isMoverOf =
  ({ writer }: ReplicationRecord) =>
  ({ movesFor, isOver, uid }: User) =>
    movesFor !== undefined && !isOver && uid !== writer?.uid;

/** The guest is on its way to another node, and its copies are to stay as they are. */
const isLeaving = ({ record, users }: ReplicationSeen) =>
  users.filter(isMoverOf(record)).some(({ isGated }) => !isGated);

/** A guest that moved stood still at its end, with the same in all copies; whoever has it now writes. */
function hand(record: ReplicationRecord, { name, uid, node = "" }: User): ReplicationStep {
  const writer = { pod: name, uid, nodes: [node] };
  return { do: "take", nodes: [node], record: { ...record, identical: true, writer } };
}

/** A guest moves to a copy that has all; until there is one, its new pod waits. */
function letMove({ record, up, machine }: ReplicationSeen, mover: User, from: User) {
  if (!record.writer?.released || !machine || !from.node) return undefined;
  const peers = peersOf(record, from.node, machine);
  const nodes = peers(true, "alike").filter((node) => up.includes(node));
  const isWell = peers(true, "alike").length === peers(true).length;
  const isStill = peers(false, "none").length === peers(false).length;
  if (!isWell || !isStill || nodes.length === 0) return undefined;
  return { do: "admit" as const, user: mover, nodes };
}

export function planReplication(seen: ReplicationSeen): ReplicationStep {
  const { record, machine } = seen;
  const { writer } = record;
  const isMover = isMoverOf(record);
  const mover = seen.users.find(isMover);
  const users = seen.users.filter((user) => !isMover(user));
  if (mover?.node && !mover.isGated) {
    const why = `${mover.name} comes to a copy that is stale`;
    if (!currentNodes(record).includes(mover.node)) return { do: "end", user: mover, why };
    if (seen.hasArrived) return hand(record, mover);
  }
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
