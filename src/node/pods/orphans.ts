// What is left of pods that were removed from the API while nobody watched. They have what they got, devices
// and processors, until the runtime says that nothing of them runs.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../lib/clock.ts";
import type { AgentContext } from "../context.ts";
import type { HoldingPod } from "../devices/devices.ts";
import type { Pod } from "./pod.ts";
import { removePodFiles } from "./pod-volumes.ts";
import type { RuntimePod } from "../runtime.ts";

const graceMs = 2000;
const retryMsMin = 1000;
const retryMsMax = 60_000;

const isThere = ({ sandboxes, containers }: RuntimePod) =>
  sandboxes.some(({ ready }) => ready) || containers.some(({ state }) => state === "running");

/** As far as the runtime remembers it. */
function podOf(uid: string, { sandboxes, containers }: RuntimePod): Pod {
  const { name = "", namespace = "" } = sandboxes[0] ?? {};
  const names = [...new Set(containers.map((one) => one.name))];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, uid, resourceVersion: "", creationTimestamp: "" },
    spec: { containers: names.map((one) => ({ name: one, image: "" })) },
  };
}

/** Resolves once the runtime says that nothing of it runs. */
async function stopOrphan({ runtime }: AgentContext, uid: string, pod: RuntimePod) {
  const running = pod.containers.filter(({ state }) => state === "running");
  await Promise.all(running.map(({ id }) => runtime.stopContainer(id, graceMs)));
  for (const { id } of pod.sandboxes) await runtime.stopSandbox(id);
  const left = await runtime.pod(uid);
  if (left && isThere(left)) throw new Error("something of it runs still");
}

const namesIn = (folder: string) => readdir(folder).catch((): string[] => []);

/** Files and cgroups of pods that nobody knows and that run nothing. */
async function removeLeftovers(context: AgentContext, isKnown: (podUid: string) => boolean) {
  const { directories, cgroups } = context;
  const folders = [join(directories.root, "pods"), directories.memory];
  const uids = new Set((await Promise.all(folders.map(namesIn))).flat());
  for (const uid of uids) if (!isKnown(uid)) await removePodFiles(context, uid);
  for (const name of await namesIn(directories.logs)) {
    const uid = name.slice(name.lastIndexOf("_") + 1);
    if (!isKnown(uid)) await rm(join(directories.logs, name), { recursive: true, force: true });
  }
  await cgroups.removeOthers(isKnown);
}

export class Orphans {
  readonly #context: AgentContext;
  /** Those of nobody, and those of others. */
  readonly #running: Map<string, RuntimePod>;
  readonly #isKnown: (podUid: string) => boolean;

  constructor(
    context: AgentContext,
    running: ReadonlyMap<string, RuntimePod>,
    isKnown: (podUid: string) => boolean,
  ) {
    this.#context = context;
    this.#running = new Map([...running].filter(([, pod]) => isThere(pod)));
    this.#isKnown = isKnown;
  }

  holders(): HoldingPod[] {
    return [...this.#running]
      .filter(([uid]) => !this.#isKnown(uid))
      .map(([uid, pod]) => ({ pod: podOf(uid, pod), isLeaving: true }));
  }

  /** Ends what runs for pods that nobody knows, and removes what they left. */
  async stop(found: ReadonlyMap<string, RuntimePod>) {
    const orphans = [...found].filter(([uid]) => !this.#isKnown(uid));
    this.#running.forEach((_, uid) => this.#isKnown(uid) && this.#running.delete(uid));
    await Promise.all(orphans.map(([uid, pod]) => this.#end(uid, pod)));
    await removeLeftovers(this.#context, this.#isKnown);
  }

  async #end(uid: string, found: RuntimePod) {
    const { runtime, devices, cpus, clock, log, signal } = this.#context;
    log.info("stopping what was left of a pod that is no more", { uid });
    let pod = found;
    for (let retryMs = retryMsMin; !signal.aborted; retryMs = Math.min(retryMs * 2, retryMsMax)) {
      try {
        await stopOrphan(this.#context, uid, pod);
        this.#running.delete(uid);
        await devices?.release(uid);
        await cpus.release(uid);
        for (const { id } of pod.sandboxes) await runtime.removeSandbox(id);
        return;
      } catch (error) {
        if (signal.aborted) return;
        log.warn("what was left of a pod runs still", { uid, error: String(error) });
        await sleep(clock, retryMs, signal).catch(() => {});
        pod = (await runtime.pod(uid).catch(() => undefined)) ?? pod;
      }
    }
  }
}
