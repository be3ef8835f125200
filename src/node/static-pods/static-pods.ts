// Pods that come from files on this machine run without asking anybody; the API gets a mirror of each when
// it can be reached. Everything is brought in line in one pass, which runs again after any change.
import { watch } from "node:fs";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { resource } from "../../client/client.ts";
import type { Informer } from "../../client/informer.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import type { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import type { AgentContext } from "../context.ts";
import { graceMsOf } from "../pods/plan-pod.ts";
import type { Pod } from "../pods/pod.ts";
import type { PodWorker } from "../pods/pod-worker.ts";
import { isMirror, isStatic } from "./identity.ts";
import { isMirrorOf, keyOf, mirrorOf, planMirrors } from "./mirrors.ts";

const pods = resource("v1", "pods");
const manifestBytesMax = 1 << 20;
const manifestsMax = 256;
/** Files are read again this often, should a hint have been lost; as kubelet. */
const everyMs = 20_000;
/** While a pod ends, whether it has. */
const endingMs = 500;
/** A mirror that went is made again no sooner: a client that waits for its end must see it gone. */
const absenceMs = 1000;

export interface StaticPodsOptions {
  context: AgentContext;
  directory: string;
  workers: { all(): Iterable<PodWorker>; seen(pod: Pod): void; prune(): void };
  informer: Informer;
  nodes: Informer;
  scope: Scope;
}

class StaticPods {
  readonly #options: StaticPodsOptions;
  /** By file name. The content is kept, so that a pod is the same object while its file is. */
  readonly #files = new Map<string, { text: string; pod: Pod | undefined }>();
  /** Mirrors that went a moment ago, by namespace and name. */
  readonly #absent = new Set<string>();
  #turn: Promise<void> = Promise.resolve();
  #again = false;

  constructor(options: StaticPodsOptions) {
    this.#options = options;
  }

  look(): Promise<void> {
    if (this.#again) return this.#turn;
    this.#again = true;
    const { context, scope } = this.#options;
    this.#turn = this.#turn
      .then(() => {
        this.#again = false;
        return scope.closed ? undefined : this.#once();
      })
      .catch((error) => context.log.warn("static pods wait", { error: String(error) }));
    return this.#turn;
  }

  mirrorGone(mirror: KubeObject) {
    const { clock } = this.#options.context;
    this.#absent.add(keyOf(mirror));
    clock.after(absenceMs, () => {
      this.#absent.delete(keyOf(mirror));
      void this.look();
    });
  }

  async #once() {
    const { context, workers } = this.#options;
    await this.#read();
    const wanted = new Map<string, Pod>();
    for (const { pod } of this.#files.values()) if (pod) wanted.set(pod.metadata.uid, pod);
    workers.prune();
    const running = [...workers.all()].filter(({ pod }) => isStatic(pod));
    for (const worker of running) if (!wanted.has(worker.pod.metadata.uid)) this.#end(worker);
    const names = new Set(running.map(({ pod }) => keyOf(pod)));
    const uids = new Set(running.map(({ pod }) => pod.metadata.uid));
    for (const [uid, pod] of wanted) {
      const name = keyOf(pod);
      if (uids.has(uid) || names.has(name)) continue;
      names.add(name);
      this.#begin(pod);
    }
    if (running.some(({ pod }) => pod.metadata.deletionTimestamp)) {
      context.clock.after(endingMs, () => void this.look());
    }
    await this.#mirror();
  }

  /** What went before is remembered by the mirror, so a restart of Kerb is none of the pod. */
  #begin(pod: Pod) {
    const { workers } = this.#options;
    const mirror = this.#mirrors().find((one) => isMirrorOf(one, pod));
    workers.seen(mirror?.status ? { ...pod, status: mirror.status } : pod);
  }

  #end(worker: PodWorker) {
    const { clock } = this.#options.context;
    const { pod } = worker;
    if (pod.metadata.deletionTimestamp) return;
    const deletionTimestamp = timestamp(clock.now() + graceMsOf(pod));
    worker.update({ ...pod, metadata: { ...pod.metadata, deletionTimestamp } });
  }

  async #read() {
    const { directory, context } = this.#options;
    const found = (await readdir(directory)).filter((name) => !name.startsWith(".")).sort();
    for (const name of this.#files.keys()) if (!found.includes(name)) this.#files.delete(name);
    for (const name of found.slice(0, manifestsMax)) {
      const path = join(directory, name);
      try {
        const { size } = await stat(path);
        if (size > manifestBytesMax) throw new Error(`is larger than ${manifestBytesMax} bytes`);
        const text = await readFile(path, "utf8");
        if (this.#files.get(name)?.text === text) continue;
        this.#files.set(name, { text, pod: undefined });
        // Here, since most nodes never need the kinds.
        const { readManifest } = await import("./read-manifest.ts");
        const source = { path, nodeName: context.facts.nodeName, now: context.clock.now() };
        this.#files.set(name, { text, pod: readManifest(text, source) });
      } catch (error) {
        this.#refused(path, error as NodeJS.ErrnoException);
      }
    }
  }

  #refused(path: string, error: NodeJS.ErrnoException) {
    if (error.code === "ENOENT" || error.code === "EISDIR") return;
    const { context, nodes } = this.#options;
    const node = nodes.get(context.facts.nodeName);
    const message = `static pod file ${path}: ${error.message}`;
    context.log.warn(message);
    if (node) context.event(node, "Warning", "FailedStaticPod", message);
  }

  #mirrors = () => this.#options.informer.list().filter(isMirror);

  async #mirror() {
    const { context, workers, nodes } = this.#options;
    const { client, facts } = context;
    const own = [...workers.all()].filter(({ pod }) => isStatic(pod));
    const plan = planMirrors(
      own.map(({ pod }) => pod),
      this.#mirrors(),
    );
    const byUid = new Map(own.map((worker) => [worker.pod.metadata.uid, worker]));
    for (const [pod, mirror] of plan.shown) byUid.get(pod.metadata.uid)!.setMirror(mirror as Pod);
    for (const { metadata } of plan.remove) {
      const { namespace, name, uid } = metadata;
      const options = { gracePeriodSeconds: 0, preconditions: { uid } };
      await settled(client.delete({ ...pods, namespace, name }, options));
    }
    const node = nodes.get(facts.nodeName);
    const due = plan.create.filter((pod) => !this.#absent.has(keyOf(pod)));
    for (const pod of node ? due : []) {
      const { namespace } = pod.metadata;
      await settled(client.create({ ...pods, namespace }, mirrorOf(pod, node!)));
    }
  }
}

/** What others did meanwhile is told by the informer, which brings the next look. */
async function settled(request: Promise<unknown>) {
  try {
    await request;
  } catch (error) {
    if (!isStatus(error, "NotFound", "Conflict", "AlreadyExists")) throw error;
  }
}

/** Resolves once the pods of all files that are there have their workers. */
export async function startStaticPods(options: StaticPodsOptions): Promise<void> {
  const { directory, informer, nodes, context, scope } = options;
  await mkdir(directory, { recursive: true });
  const statics = new StaticPods(options);
  const look = () => void statics.look();
  const watched = watch(directory, look);
  scope.defer(() => watched.close());
  const onMirror = (pod: KubeObject) => isMirror(pod) && look();
  const onDelete = (pod: KubeObject) => isMirror(pod) && statics.mirrorGone(pod);
  scope.defer(informer.subscribe({ onAdd: onMirror, onUpdate: onMirror, onDelete }));
  scope.defer(nodes.subscribe({ onAdd: look }));
  scope.defer(context.clock.every(everyMs, look));
  await statics.look();
}
