// Who has which processors alone (kubelet's static policy): containers of whole cpus in guaranteed pods. All
// others share what is left, and the reserved ones are nobody's alone. Pure but for being changed.
import { amountIn, qosClassOf } from "../../lib/qos-class.ts";
import { isSidecar } from "../pods/pod.ts";
import type { Container, Pod } from "../pods/pod.ts";

/** Pod uid to container to its cpus. */
export type Assignments = Record<string, Record<string, number[]>>;

/** How many a container has alone; 0 for those that share. */
export function wholeCpus(pod: Pod, { resources }: Container): number {
  if (qosClassOf(pod.spec) !== "Guaranteed") return 0;
  const milli = amountIn(resources?.limits, "cpu") ?? 0;
  return milli % 1000 === 0 ? milli / 1000 : 0;
}

export class NoCpus extends Error {}

export class CpuLedger {
  /** Processors that share a core. */
  readonly #cores: number[][];
  readonly #reserved: ReadonlySet<number>;
  assignments: Assignments;

  constructor(cores: number[][], reserved: number[], assignments: Assignments = {}) {
    this.#cores = cores;
    this.#reserved = new Set(reserved);
    this.assignments = assignments;
  }

  /** For all that have none alone. */
  shared(): number[] {
    const taken = this.#taken();
    return this.#cores.flat().filter((cpu) => !taken.has(cpu));
  }

  /** What containers can have alone. */
  lendable(): number[] {
    return this.#cores.flat().filter((cpu) => !this.#reserved.has(cpu));
  }

  /** Gives a pod what it has alone. Throws NoCpus. */
  admit(pod: Pod) {
    const { uid } = pod.metadata;
    if (this.assignments[uid]) return;
    const lasting = [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers];
    const given: Record<string, number[]> = {};
    for (const container of lasting) {
      const count = wholeCpus(pod, container);
      if (count > 0) given[container.name] = this.#take(count, Object.values(given).flat());
    }
    if (Object.keys(given).length > 0) this.assignments[uid] = given;
  }

  /** True when it had some. */
  forget(podUid: string): boolean {
    const had = podUid in this.assignments;
    delete this.assignments[podUid];
    return had;
  }

  /** An init container runs on what its pod has; undefined for those that share. */
  of(pod: Pod, container: Container): number[] | undefined {
    const given = this.assignments[pod.metadata.uid];
    if (!given) return undefined;
    const own = given[container.name];
    if (own) return own;
    const isInit = pod.spec.initContainers?.some(({ name }) => name === container.name);
    return isInit && !isSidecar(container) ? Object.values(given).flat() : undefined;
  }

  #taken(): Set<number> {
    return new Set(Object.values(this.assignments).flatMap((one) => Object.values(one).flat()));
  }

  /** Whole cores first, then those that are begun. */
  #take(count: number, also: number[]): number[] {
    const taken = this.#taken();
    const free = (cpu: number) =>
      !taken.has(cpu) && !this.#reserved.has(cpu) && !also.includes(cpu);
    const cores = this.#cores.map((core) => core.filter(free)).filter((core) => core.length > 0);
    const widest = Math.max(...this.#cores.map((core) => core.length), 1);
    const found: number[] = [];
    for (const core of cores.filter((one) => one.length === widest)) {
      if (found.length + core.length <= count) found.push(...core);
    }
    const rest = cores.toSorted((a, b) => a.length - b.length).flat();
    for (const cpu of rest) if (found.length < count && !found.includes(cpu)) found.push(cpu);
    if (found.length === count) return found.sort((a, b) => a - b);
    const numbers = `Requested: ${count}, Available: ${cores.flat().length}`;
    throw new NoCpus(`not enough cpus available to satisfy request. ${numbers}`);
  }
}
