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
  isOver: boolean;
  /** It ended by itself, with nothing on its way. */
  isClean: boolean;
}

/** Of the machine that writes, as its node tells. `silent`: the other copy does not answer. */
export interface MachineSeen {
  isReleased: boolean;
  link: "none" | "syncing" | "alike" | "broken" | "silent";
}

export interface ReplicationSeen {
  record: ReplicationRecord;
  /** The oldest first. */
  users: User[];
  /** Nodes whose copy has a pod that runs. */
  up: string[];
  machine?: MachineSeen;
}

export type ReplicationStep =
  | { do: "nothing"; why?: string }
  | { do: "record"; record: ReplicationRecord; why: string }
  /** Ends what copies take from others, then records. */
  | { do: "take"; nodes: string[]; record: ReplicationRecord }
  | { do: "admit"; user: User; nodes: string[] }
  | { do: "attach"; from: string; to: string; sync: "none" | "full" }
  | { do: "detach"; from: string }
  | { do: "release"; from: string };

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

function follow(
  { record, up }: ReplicationSeen,
  from: string,
  { link }: MachineSeen,
): ReplicationStep {
  const peer = record.copies.find(({ node }) => node !== from);
  if (!peer) return nothing;
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

export function planReplication(seen: ReplicationSeen): ReplicationStep {
  const { record, users, machine } = seen;
  const { writer } = record;
  const user = users.find(({ uid }) => uid === writer?.uid);
  if (writer && (!user || user.isOver)) return afterWriter(record, user);
  const waiting = users.find(
    ({ isGated, isOver, uid }) => isGated && !isOver && uid !== writer?.uid,
  );
  if (!writer) return waiting ? letIn(seen, waiting) : nothing;
  if (user!.isGated) return { do: "admit", user: user!, nodes: writer.nodes };
  const { node } = user!;
  const step =
    user!.kind === "machine" && node && machine
      ? machine.isReleased
        ? follow(seen, node, machine)
        : start(record, node, machine)
      : nothing;
  if (step.do === "nothing" && waiting) return { do: "nothing", why: `${writer.pod} uses it` };
  return step;
}
