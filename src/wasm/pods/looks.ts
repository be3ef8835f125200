// What a container's image is, seen before it runs: which module, what it asks for, and what its runner has to be.
// Most pods are like one before them, so what those were is remembered, as a guess.
import { hash } from "node:crypto";
import type { PlannedContainer, SandboxConfig } from "../../node/runtime.ts";
import { examine } from "../examine.ts";
import type { Examined } from "../examine.ts";
import type { ModuleImage, Modules, Words } from "./modules.ts";
import type { RunnerKind } from "../../node/process-programs.ts";
import { userOf } from "./suits.ts";

export interface Looked {
  found: ModuleImage;
  examined: Examined;
  kind: RunnerKind;
}

export interface LooksOptions {
  modules: Modules;
  /** The folder of transpiled components. */
  components: string;
}

const rememberedMax = 256;

const groupsOf = ({ supplementalGroups = [], fsGroup }: Record<string, any>): number[] => [
  ...supplementalGroups,
  ...(fsGroup === undefined ? [] : [fsGroup]),
];

const wordsOf = (one: PlannedContainer): Words => ({ ...one, workingDir: one["workingDir"] });

/** What makes pods alike. */
const likenessOf = ({ securityContext, containers }: SandboxConfig) => {
  const words = containers!.map((one: PlannedContainer) => [
    ...[one.image, one.command, one.args, one["workingDir"], one["securityContext"]],
  ]);
  // What a pod is told may be a megabyte, and is remembered of many.
  return hash("sha256", JSON.stringify([securityContext, words]));
};

function remember<T>(all: Map<string, T>, key: string, value: T) {
  if (all.size >= rememberedMax) all.clear();
  all.set(key, value);
}

export class Looks {
  readonly #options: LooksOptions;
  /** Of pods, by their likeness. */
  readonly #kinds = new Map<string, RunnerKind>();
  /** Of core modules, by file and limit. */
  readonly #examined = new Map<string, Examined>();

  constructor(options: LooksOptions) {
    this.#options = options;
  }

  /** Undefined where what would run is no module, or not here. Rejects when the module cannot be run. */
  async at(
    words: Words,
    securityContext: Record<string, any>,
    memoryBytes: number | undefined,
  ): Promise<Looked | undefined> {
    const { modules, components: cache } = this.#options;
    const found = await modules.find(words);
    const user = found && userOf(securityContext, found.image);
    if (!found || !user) return undefined;
    const key = `${found.file} ${memoryBytes}`;
    const examined =
      this.#examined.get(key) ??
      (await examine(found.path, modules.bytes(found), { cache, memoryBytes }));
    // What was made of a component may be collected meanwhile.
    if (!examined.component) remember(this.#examined, key, examined);
    return { found, examined, kind: { ...user, network: examined.network } };
  }

  /** Whether images are not there on which it depends what the pod is: without any that holds no module. */
  async lackImages({ containers = [] }: SandboxConfig): Promise<boolean> {
    const { modules } = this.#options;
    const isHere = await Promise.all(containers.map(({ image }) => modules.isHere(image)));
    const here = containers.filter((_, i) => isHere[i]);
    if (here.length === containers.length) return false;
    const found = await Promise.all(here.map((one) => modules.find(wordsOf(one))));
    return !found.includes(undefined);
  }

  /** What a pod like this one was lately. */
  likelyKind(config: SandboxConfig): RunnerKind | undefined {
    return this.#kinds.get(likenessOf(config));
  }

  /** What the runner of a pod's first container is; undefined where something of the pod is no module. */
  async kind(config: SandboxConfig): Promise<RunnerKind | undefined> {
    const likeness = likenessOf(config);
    const all = await Promise.all(
      config.containers!.map((one) =>
        this.at(
          wordsOf(one),
          { ...config.securityContext, ...one["securityContext"] },
          undefined,
        ).catch(() => undefined),
      ),
    );
    const [first] = all;
    if (!first || all.includes(undefined)) {
      this.#kinds.delete(likeness);
      return undefined;
    }
    const kind = { ...first.kind, groups: groupsOf(config.securityContext) };
    remember(this.#kinds, likeness, kind);
    return kind;
  }
}
