// Two runtimes as one: a machine's own, which runs everything and has the images, and one that runs some pods better.
// Whose a pod is, is decided when its sandbox is made, and stays.
import type { Duplex } from "node:stream";
import type { Log } from "../lib/log.ts";
import type { Runtime, RuntimePod, SandboxConfig, Stats } from "./runtime.ts";

/** What of a runtime is asked by the id of a sandbox or a container. */
const byId = [
  "stopSandbox",
  "removeSandbox",
  "createContainer",
  "startContainer",
  "stopContainer",
  "updateContainer",
  "removeContainer",
  "execSync",
  "exec",
  "attach",
  "portForward",
  "reopenLog",
] as const;

export interface SpecialRuntime extends Omit<Pick<Runtime, (typeof byId)[number]>, "portForward"> {
  has(id: string): boolean;
  /** Undefined for pods that are not its. */
  runSandbox(config: SandboxConfig): Promise<string | undefined>;
  /** Whether a pod may turn out to be its when the images are there that it lacks. */
  wantsImages(config: SandboxConfig): Promise<boolean>;
  pods(): ReadonlyMap<string, RuntimePod>;
  pod(podUid: string): RuntimePod | undefined;
  /** Known from the call of `runSandbox` on, where one is ready. */
  cgroupOf(podUid: string): string | undefined;
  onChange(listener: (podUid: string) => void): () => void;
  portForward(sandboxId: string, port: number): Promise<Duplex>;
  stats(): Promise<Stats[]>;
  /** The images that are there after some have gone. */
  imagesAre(ids: string[]): void;
  close(): Promise<void>;
}

const both = (one: RuntimePod | undefined, other: RuntimePod | undefined) =>
  one && other
    ? {
        sandboxes: [...one.sandboxes, ...other.sandboxes],
        containers: [...one.containers, ...other.containers],
      }
    : (one ?? other);

/** Which pods the first runtime may know: those it listed last, and those that were begun since that list began. */
class Known {
  #listed: Set<string> | undefined;
  readonly #beginning = new Set<string>();
  /** What began during each list that is under way. */
  readonly #lists = new Set<Set<string>>();

  async begin<T>(podUid: string, work: () => Promise<T>): Promise<T> {
    this.#listed?.add(podUid);
    for (const meanwhile of this.#lists) meanwhile.add(podUid);
    this.#beginning.add(podUid);
    try {
      return await work();
    } finally {
      this.#beginning.delete(podUid);
    }
  }

  /** Until the first list nobody knows. */
  may(podUid: string) {
    return this.#listed === undefined || this.#listed.has(podUid);
  }

  async list(pods: () => Promise<Map<string, RuntimePod>>) {
    const meanwhile = new Set(this.#beginning);
    this.#lists.add(meanwhile);
    try {
      const found = await pods();
      this.#listed = new Set([...found.keys(), ...meanwhile]);
      return found;
    } finally {
      this.#lists.delete(meanwhile);
    }
  }
}

export interface JoinOptions {
  /** Whether the special runtime may suit a pod, before it is there. */
  mayRun: (config: SandboxConfig) => boolean;
  /** Undefined where it cannot be. Asked once. */
  open: () => Promise<SpecialRuntime | undefined>;
  log: Log;
}

/** The special runtime is there from the first pod on that it may suit, or from `open`. */
class Special {
  readonly #open: () => Promise<SpecialRuntime | undefined>;
  readonly #listeners = new Set<(podUid: string) => void>();
  #opening: Promise<void> | undefined;
  now: SpecialRuntime | undefined;

  constructor({ open }: JoinOptions) {
    this.#open = open;
  }

  open(): Promise<void> {
    return (this.#opening ??= this.#open().then((special) => {
      this.now = special;
      special?.onChange((uid) => this.#listeners.forEach((listener) => listener(uid)));
    }));
  }

  /** With neither an id nor a wish the pod is better run otherwise; so is one that it fails to run. */
  async run(
    config: SandboxConfig,
    { mayRun, log }: JoinOptions,
  ): Promise<{ id?: string | undefined; wantsImages?: boolean }> {
    if (!mayRun(config)) return {};
    if (!this.now) await this.open();
    try {
      const id = await this.now?.runSandbox(config);
      if (id !== undefined || config.imagesAwaited) return { id };
      return { wantsImages: (await this.now?.wantsImages(config)) ?? false };
    } catch (error) {
      log.warn("a pod is run otherwise", { pod: config.name, error: String(error) });
      return {};
    }
  }

  onChange(listener: (podUid: string) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** What differs where there are two. */
function joinedCalls(runtime: Runtime, special: Special, options: JoinOptions): Partial<Runtime> {
  const known = new Known();
  return {
    async runSandbox(config) {
      const { id, wantsImages } = await special.run(config, options);
      if (wantsImages) return undefined;
      return id ?? known.begin(config.podUid, () => runtime.runSandbox(config));
    },
    async pods() {
      const found = await known.list(() => runtime.pods());
      for (const [uid, pod] of special.now?.pods() ?? [])
        found.set(uid, both(pod, found.get(uid))!);
      return found;
    },
    async pod(uid) {
      return both(special.now?.pod(uid), known.may(uid) ? await runtime.pod(uid) : undefined);
    },
    cgroupOf: (uid) => special.now?.cgroupOf(uid) ?? runtime.cgroupOf?.(uid),
    onChange(listener) {
      const stops = [runtime.onChange(listener), special.onChange(listener)];
      return () => stops.forEach((stop) => stop());
    },
    async removeImage(ref) {
      await runtime.removeImage(ref);
      special.now?.imagesAre((await runtime.listImages()).map(({ id }) => id));
    },
    stats: async () => (await Promise.all([runtime.stats(), special.now?.stats() ?? []])).flat(),
    async close() {
      await special.now?.close();
      await runtime.close();
    },
  };
}

export function joinRuntimes<T extends Runtime>(
  runtime: T,
  options: JoinOptions,
): { runtime: T; open: () => Promise<void> } {
  const special = new Special(options);
  const joined = joinedCalls(runtime, special, options);
  const asked = new Set<string>(byId);
  const proxy = new Proxy(runtime, {
    get(target, name) {
      const changed = joined[name as keyof Runtime];
      if (changed) return changed;
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (!asked.has(String(name))) return value.bind(target);
      return (id: string, ...rest: unknown[]) => {
        const whose: any = special.now?.has(id) ? special.now : target;
        return whose[name](id, ...rest);
      };
    },
  });
  return { runtime: proxy, open: () => special.open() };
}
