// ReplicatedVolume: keeps the copies of a volume alike, and says who may write to it; see `plan.ts`.
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import { isTerminating } from "../../controllers/pod-state.ts";
import { resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { sleep } from "../../lib/clock.ts";
import type { NodeConnector } from "../../lib/node-connection.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import { StatusError } from "../../lib/status-error.ts";
import { replicasPart, vmControl } from "../control.ts";
import type { CopyFilling, CopyTarget, CopyView, VmControl } from "../control.ts";
import { claims, pods } from "../kinds/resources.ts";
import { planReplication } from "./plan.ts";
import type { ReplicationSeen, ReplicationStep, User } from "./plan.ts";
import {
  currentNodes,
  replicaLabel,
  replicatedVolumesOf,
  replicationGate,
  withCurrent,
} from "./record.ts";
import type { ReplicationRecord } from "./record.ts";
import { removePod, Replicas } from "./replicas.ts";
import { affinityWithin, isGated, usersOf, volumesOf } from "./users.ts";

const nodes = resource("v1", "nodes");
const volumes = resource("v1", "persistentvolumes");
const lookMs = 1000;
/** While a guest stands still. */
const switchMs = 100;
const waitMs = 3000;
const answerMsMax = 15_000;

const told = (node: string, { bytes, isPart }: CopyFilling) =>
  isPart
    ? `the copy on ${node} gets what changed while it was away: ${bytes} bytes`
    : `the copy on ${node} gets all: ${bytes} bytes`;

class Replication {
  readonly #volume: KubeObject;
  readonly #context: ControllerContext;
  readonly #connect: NodeConnector;
  readonly #claim: KubeObject;
  readonly #namespace: string;
  readonly #record: ReplicationRecord;
  readonly #replicas: Replicas;
  #view: CopyView | undefined;

  constructor(
    { volume, claim }: { volume: KubeObject; claim: KubeObject },
    context: ControllerContext,
    connect: NodeConnector,
  ) {
    this.#volume = volume;
    this.#claim = claim;
    this.#context = context;
    this.#connect = connect;
    this.#namespace = claim.metadata.namespace!;
    const { copies = [], identical = false, writer } = volume.status ?? {};
    this.#record = { copies, identical, ...(writer && { writer }) };
    const on = this.#record.copies.map(({ node }) => node);
    this.#replicas = new Replicas(context, claim, { volume: volume.metadata.name, on });
  }

  async run(key: Key) {
    const users = usersOf(this.#pods(), this.#claim.metadata.name);
    if (this.#claim.metadata.deletionTimestamp && users.every(({ isOver }) => isOver)) {
      return this.#replicas.remove();
    }
    await this.#replicas.ensure();
    const up = this.#replicas.up();
    const machine = await this.#look(users);
    const wantedBytes = this.#wantedBytes();
    const seen: ReplicationSeen = {
      ...{ record: this.#record, users, up },
      ...(machine && { machine }),
      ...(wantedBytes && { wantedBytes }),
      ...((await this.#hasArrived(users)) && { hasArrived: true }),
    };
    const step = planReplication(seen);
    await this.#do(step);
    const isQuiet = step.do === "nothing" && !this.#record.writer;
    const { writer } = this.#record;
    const isMoving = users.some(({ movesFor, isOver, uid }) => {
      return movesFor !== undefined && !isOver && !(uid === writer?.uid && writer.released);
    });
    this.#context.wakeAfter(key, isMoving ? switchMs : isQuiet ? waitMs : lookMs);
  }

  /** What the claim asks for, where it has less. */
  #wantedBytes(): number | undefined {
    const { spec, status } = this.#claim;
    const asked = parseQuantity(spec.resources.requests.storage);
    return asked > parseQuantity(status?.capacity?.storage ?? "0") ? asked : undefined;
  }

  #pods = () => this.#context.informer(pods).list(this.#namespace);

  /** A node that is away does not answer at all. */
  async #within<T>(answer: Promise<T>): Promise<T> {
    const { clock, signal } = this.#context;
    const late = sleep(clock, answerMsMax, signal).then(() => {
      throw new StatusError("Timeout", "the node does not answer");
    });
    late.catch(() => {});
    answer.catch(() => {});
    return Promise.race([answer, late]);
  }

  #user(users: User[]) {
    return users.find(({ uid, isOver }) => uid === this.#record.writer?.uid && !isOver);
  }

  async #control(node: string): Promise<VmControl> {
    return vmControl(await this.#connect(node), this.#record.writer!.uid);
  }

  /** As the pod calls its volume. */
  #volumeName(): string {
    const pod = this.#pods().find(({ metadata }) => metadata.uid === this.#record.writer!.uid);
    return volumesOf(pod!, this.#claim.metadata.name)[0].name;
  }

  /** Where the copy on a node is reached. */
  #hostOf = (node: string): string => this.#replicas.on(node)?.status?.podIP ?? "";

  async #look(users: User[]) {
    const user = this.#user(users);
    if (user?.kind !== "machine" || !user.node) return undefined;
    const peers = this.#record.copies.filter(({ node }) => node !== user.node);
    const hosts = peers.map(({ node }) => [node, this.#hostOf(node)] as const);
    try {
      const control = await this.#control(user.node);
      const view = control.viewCopies(this.#volumeName(), Object.fromEntries(hosts));
      this.#view = await this.#within(view);
      return this.#view;
    } catch (error) {
      this.#context.log.debug("a writer does not answer", { error: String(error) });
      return undefined;
    }
  }

  /** Asked of the pod that a guest moves to. */
  async #hasArrived(users: User[]): Promise<boolean> {
    const { writer } = this.#record;
    const mover = users.find(({ movesFor, isGated: waits, isOver, uid }) => {
      return movesFor !== undefined && !waits && !isOver && uid !== writer?.uid;
    });
    if (!mover?.node) return false;
    try {
      const control = vmControl(await this.#connect(mover.node), mover.uid);
      return await this.#within(control.hasArrived());
    } catch {
      // Its QEMU does not run yet.
      return false;
    }
  }

  async #write(record: ReplicationRecord, why: string) {
    const { client, event } = this.#context;
    const current = currentNodes(record);
    const status = {
      ...record,
      current: current.join(","),
      stale: record.copies
        .map(({ node }) => node)
        .filter((node) => !current.includes(node))
        .join(","),
    };
    const { name } = this.#volume.metadata;
    // Against the version that was read: what is decided on older facts is refused.
    await client.update(
      { ...replicatedVolumesOf, name, subresource: "status" },
      { ...this.#volume, status },
    );
    const type = current.length < currentNodes(this.#record).length ? "Warning" : "Normal";
    event(this.#claim, type, "Replication", why);
  }

  async #ask(node: string, question: object): Promise<any> {
    const connection = await this.#connect(node);
    const podUid = this.#replicas.on(node)?.metadata.uid;
    return this.#within(connection.ask(replicasPart, { podUid, ...question }));
  }

  async #take(step: Extract<ReplicationStep, { do: "take" }>) {
    const closed: string[] = [];
    for (const node of step.nodes) {
      const isClosed = await this.#ask(node, { method: "close" }).then(
        () => true,
        () => false,
      );
      if (isClosed) closed.push(node);
    }
    if (closed.length === 0) return;
    const writer = { ...step.record.writer!, nodes: closed };
    await this.#write(
      { ...step.record, writer },
      `${writer.pod} takes it, on ${closed.join(" or ")}`,
    );
  }

  /** Undefined while not all replicated claims of the pod let it in. */
  #placesOf(pod: KubeObject): string[] | undefined {
    const { informer } = this.#context;
    const names: string[] = (pod.spec.volumes ?? [])
      .map((one: any) => one.persistentVolumeClaim?.claimName)
      .filter(Boolean);
    const lists = names.flatMap((name): string[][] => {
      const volume: string = informer(claims).get(name, this.#namespace)?.spec.volumeName ?? "";
      const status = informer(replicatedVolumesOf).get(volume)?.status;
      if (!status) return [];
      const [user] = usersOf([pod], name);
      const current = currentNodes(status as ReplicationRecord);
      if (user?.kind === "reader") return [current];
      if (user?.movesFor !== undefined) {
        const writer = this.#pods().find(({ metadata }) => metadata.uid === status.writer?.uid);
        return [writer ? current.filter((node) => node !== writer.spec.nodeName) : []];
      }
      return [status.writer?.uid === pod.metadata.uid ? (status.writer.nodes as string[]) : []];
    });
    const [first = [], ...others] = lists;
    const places = first.filter((node: string) => others.every((list) => list.includes(node)));
    return places.length > 0 ? places : undefined;
  }

  async #admit({ uid }: User) {
    const { client, informer } = this.#context;
    const pod = this.#pods().find((one) => one.metadata.uid === uid);
    const places = pod && isGated(pod) && this.#placesOf(pod);
    if (!places) return;
    const hostnames = places.map(
      (node) => informer(nodes).get(node)?.metadata.labels?.["kubernetes.io/hostname"] ?? node,
    );
    const { namespace, name, resourceVersion } = pod.metadata;
    const schedulingGates = pod.spec.schedulingGates.filter(
      (gate: any) => gate.name !== replicationGate,
    );
    const spec = { schedulingGates, affinity: affinityWithin(pod.spec, hostnames) };
    await client.patch({ ...pods, namespace, name }, "merge", {
      metadata: { resourceVersion },
      spec,
    });
  }

  async #attach({ from, to, sync }: Extract<ReplicationStep, { do: "attach" }>) {
    try {
      const question = { method: "serve", bytes: this.#view!.bytes };
      const target: Omit<CopyTarget, "host"> = await this.#ask(to, question);
      const control = await this.#control(from);
      const where = { ...target, node: to, host: this.#hostOf(to), sync };
      const filling = await this.#within(control.attachCopy(this.#volumeName(), where));
      if (sync === "full")
        this.#context.event(this.#claim, "Normal", "Replication", told(to, filling));
    } catch (error) {
      const why = `the copy on ${to} takes nothing: ${(error as Error).message}`;
      const current = currentNodes(this.#record);
      if (current.includes(to)) {
        const others = current.filter((node) => node !== to);
        return this.#write(withCurrent(this.#record, others), why);
      }
      this.#context.event(this.#claim, "Warning", "Replication", why);
    }
  }

  async #detach({ from, to }: Extract<ReplicationStep, { do: "detach" }>) {
    const control = await this.#control(from);
    await this.#within(control.detachCopies(this.#volumeName(), to));
  }

  /** Once all replicated disks of the machine are recorded as its own. */
  async #release(from: string) {
    const { informer } = this.#context;
    const { uid } = this.#record.writer!;
    const pod = this.#pods().find(({ metadata }) => metadata.uid === uid);
    const isReady = (pod?.spec.volumes ?? []).every((one: any) => {
      const name = one.persistentVolumeClaim?.claimName;
      const claim = name && informer(claims).get(name, this.#namespace);
      const record = claim && informer(replicatedVolumesOf).get(claim.spec.volumeName)?.status;
      return !record || (record.writer?.uid === uid && record.writer.released);
    });
    if (isReady) await this.#within((await this.#control(from)).release());
  }

  async #end({ user, why }: Extract<ReplicationStep, { do: "end" }>) {
    const pod = this.#pods().find(({ metadata }) => metadata.uid === user.uid);
    this.#context.event(this.#claim, "Warning", "Replication", why);
    if (pod && !isTerminating(pod)) await removePod(this.#context, pod);
  }

  async #grow({ from, bytes }: Extract<ReplicationStep, { do: "grow" }>) {
    if (from) {
      const control = await this.#control(from);
      return this.#within(control.resizeVolume(this.#volumeName(), bytes));
    }
    for (const { node } of this.#record.copies) await this.#ask(node, { method: "grow", bytes });
    await this.#grown();
  }

  /** What the claim asked for is there. */
  async #grown() {
    const { client, event } = this.#context;
    const { namespace, name } = this.#claim.metadata;
    const { storage } = this.#claim.spec.resources.requests;
    const volume = { ...volumes, name: this.#volume.metadata.name };
    await client.patch(volume, "merge", { spec: { capacity: { storage } } });
    const target = { ...claims, namespace, name, subresource: "status" };
    await client.patch(target, "merge", { status: { capacity: { storage } } });
    event(this.#claim, "Normal", "VolumeResizeSuccessful", `Resized to ${storage}`);
  }

  async #do(step: ReplicationStep): Promise<void> {
    switch (step.do) {
      case "nothing":
        if (step.why) this.#context.event(this.#claim, "Warning", "Replication", step.why);
        return;
      case "record":
        return this.#write(step.record, step.why);
      case "take":
        return this.#take(step);
      case "admit":
        return this.#admit(step.user);
      case "attach":
        return this.#attach(step);
      case "detach":
        return this.#detach(step);
      case "grow":
        return this.#grow(step);
      case "grown":
        return this.#grown();
      case "release":
        return this.#release(step.from);
      case "end":
        return this.#end(step);
    }
  }
}

/** Volumes of the claims that a pod names. */
const ofPod = (pod: KubeObject, { informer }: ControllerContext): Key[] => {
  const replica = pod.metadata.labels?.[replicaLabel];
  if (replica) return [replica];
  return (pod.spec.volumes ?? []).flatMap((one: any) => {
    const name = one.persistentVolumeClaim?.claimName;
    const claim = name && informer(claims).get(name, pod.metadata.namespace);
    const volume = claim?.spec.volumeName;
    return volume && informer(replicatedVolumesOf).get(volume) ? [volume] : [];
  });
};

export const replicatedVolumeController = (connect: NodeConnector): Controller => ({
  name: "replicated-volume",
  inputs: [
    { resource: replicatedVolumesOf },
    {
      resource: claims,
      keys: ({ spec }, { informer }) =>
        spec.volumeName && informer(replicatedVolumesOf).get(spec.volumeName)
          ? [spec.volumeName]
          : [],
    },
    { resource: pods, keys: ofPod },
    { resource: nodes, keys: () => [] },
  ],
  outputs: [
    pods,
    volumes,
    { ...claims, resource: "persistentvolumeclaims/status" },
    { ...replicatedVolumesOf, resource: "replicatedvolumes/status" },
  ],
  resyncMs: 5000,
  async reconcile(key, context) {
    const volume = context.informer(replicatedVolumesOf).get(key);
    const { namespace, name, uid } = volume?.spec.claimRef ?? {};
    const claim = volume && context.informer(claims).get(name, namespace);
    if (!claim || claim.metadata.uid !== uid || claim.status?.phase !== "Bound") return;
    await new Replication({ volume, claim }, context, connect).run(key);
  },
});
