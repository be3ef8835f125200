// In-place resize of one pod (KEP-1287): grants what the API asks for when the node has it, sizes the pod's
// cgroup and its running containers, and remembers on disk what it granted. A pod that was never resized
// has no file: what its containers carry says the same.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentContext } from "../context.ts";
import { podDirectory } from "../directories.ts";
import type { Instance, Instances } from "../pods/instances.ts";
import type { Container, Pod } from "../pods/pod.ts";
import { amountIn } from "../../lib/qos-class.ts";
import { resourcesOf } from "../machine/resources.ts";
import { writeWhole } from "../whole-file.ts";
import { askedBy, sameAllocation, sizedAs, withAllocation } from "./allocation.ts";
import type { Allocation, ResourceLists, Sizes } from "./allocation.ts";
import type { Refusal } from "./verdict.ts";

export interface ResizeState {
  /** Undefined until the pod was first looked at. */
  given: Allocation | undefined;
  sizes: Sizes;
  /** Why what is asked for now is not given. */
  refusal: Refusal | undefined;
  /** Why what was given is not in force. */
  error: string;
}

export const newResizeState = (): ResizeState => ({
  given: undefined,
  sizes: new Map(),
  refusal: undefined,
  error: "",
});

const exclusive: Refusal = {
  reason: "Infeasible",
  message: "Resize is infeasible for Guaranteed Pods alongside CPU Manager static policy",
};

interface Remembered {
  given: Allocation;
  sizes: Record<string, ResourceLists>;
}

export interface Resized {
  container: Container;
  instance: Instance;
}

export type Fits = (asked: Pod) => Refusal | undefined;

export class Resizer {
  readonly state: ResizeState;
  readonly #context: AgentContext;
  readonly #fits: Fits;
  #seen: { pod: Pod; allocated: Pod } | undefined;

  constructor(context: AgentContext, state: ResizeState, fits: Fits) {
    this.#context = context;
    this.state = state;
    this.#fits = fits;
  }

  /** The pod as it was granted. */
  allocated(pod: Pod): Pod {
    const { given } = this.state;
    if (!given) return pod;
    if (this.#seen?.pod !== pod) {
      const same = sameAllocation(askedBy(pod), given);
      this.#seen = { pod, allocated: same ? pod : withAllocation(pod, given) };
    }
    return this.#seen.allocated;
  }

  /** Decides on what the pod asks for now. */
  async look(pod: Pod, instances: Instances) {
    const { state } = this;
    state.given ??= await this.#recall(pod, instances);
    const asked = askedBy(pod);
    if (sameAllocation(asked, state.given)) {
      state.refusal = undefined;
      return;
    }
    const refusal = this.#context.cpus.holds(pod.metadata.uid) ? exclusive : this.#fits(pod);
    if (refusal) {
      const { reason, message } = refusal;
      const told = state.refusal?.reason === reason;
      state.refusal = refusal;
      if (!told) this.#context.event(pod, "Warning", `Resize${reason}`, message);
      return;
    }
    state.refusal = undefined;
    state.given = asked;
    this.#seen = undefined;
    await this.#remember(pod);
  }

  /** Sizes the pod and its running containers; throws when the kernel or the runtime will not. */
  async apply(pod: Pod, containers: Resized[]) {
    const { runtime, cgroups, memoryBytes, event } = this.#context;
    if (!runtime.updateContainer) throw new Error(`${runtime.version} cannot resize containers`);
    await this.#checkUse(containers);
    event(pod, "Normal", "ResizeStarted", `Resizing ${containers.length} containers`);
    await cgroups.grow(pod);
    for (const { container, instance } of containers) {
      await runtime.updateContainer(instance.id, resourcesOf(pod, container, memoryBytes));
      this.state.sizes.set(instance.id, container.resources ?? {});
    }
    await cgroups.prepare(pod);
    this.state.error = "";
    await this.#remember(pod);
    event(pod, "Normal", "ResizeCompleted", "Pod resize completed");
  }

  /** On cgroup v2 a limit below what is in use would end the container. */
  async #checkUse(containers: Resized[]) {
    const stats = new Map(
      (await this.#context.runtime.stats()).map((one) => [one.containerId, one]),
    );
    for (const { container, instance } of containers) {
      const limit = amountIn(container.resources?.limits, "memory");
      const used = stats.get(instance.id)?.workingSetBytes ?? 0;
      if (limit === undefined || used <= limit) continue;
      throw new Error(
        `attempting to set container "${container.name}" memory limit (${limit}) below current usage (${used})`,
      );
    }
  }

  #file({ metadata }: Pod) {
    return join(podDirectory(this.#context.directories, metadata.uid), "resources.json");
  }

  async #remember(pod: Pod) {
    const { given, sizes } = this.state;
    const text = JSON.stringify({ given, sizes: Object.fromEntries(sizes) });
    await writeWhole(this.#file(pod), text);
  }

  /** What was granted before Kerb last ended. */
  async #recall(pod: Pod, { newest, sandbox }: Instances): Promise<Allocation> {
    const asked = askedBy(pod);
    if (!sandbox) return asked;
    try {
      const text = await readFile(this.#file(pod), "utf8");
      const { given, sizes } = JSON.parse(text) as Remembered;
      for (const [id, lists] of Object.entries(sizes)) this.state.sizes.set(id, lists);
      return given;
    } catch {
      // No file, or one that a power cut left half written: what containers were made with.
    }
    const containers = Object.entries(asked.containers).map(([name, lists]) => {
      const instance = newest.get(name);
      return [name, (instance && sizedAs(instance)) ?? lists];
    });
    return { ...asked, containers: Object.fromEntries(containers) };
  }
}
