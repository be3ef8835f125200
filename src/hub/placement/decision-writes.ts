// In which order decisions are written. One object is written at a time and readers see every state in
// between, so a cluster that stays chosen and moves to another object is written there before it leaves the
// one where it was: whoever reads it in none would take its workloads away. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import type { DecisionObject } from "./groups.ts";

type Decisions = DecisionObject["decisions"];

export interface DecisionWrite {
  name: string;
  /** Absent: the object goes. */
  object?: DecisionObject;
}

export const decisionsOf = ({ status }: KubeObject): Decisions => status?.decisions ?? [];

class Writing {
  readonly writes: DecisionWrite[] = [];
  readonly #held = new Map<string, Decisions>();
  readonly #stay: Set<string>;
  /** By cluster: how many objects have it. */
  readonly #places = new Map<string, number>();

  constructor(wanted: DecisionObject[], known: KubeObject[]) {
    this.#stay = new Set(wanted.flatMap(({ decisions }) => decisions).map((d) => d.clusterName));
    for (const one of known) this.#hold(one.metadata.name, decisionsOf(one));
  }

  #hold(name: string, decisions: Decisions) {
    const count = (all: Decisions, by: number) => {
      for (const { clusterName } of all) {
        this.#places.set(clusterName, (this.#places.get(clusterName) ?? 0) + by);
      }
    };
    count(this.#held.get(name) ?? [], -1);
    count(decisions, 1);
    this.#held.set(name, decisions);
  }

  /** What would be in no object, although it stays chosen, if this were written now. */
  lossOf({ name, object }: DecisionWrite): Decisions {
    const own = new Set(object?.decisions.map(({ clusterName }) => clusterName));
    return (this.#held.get(name) ?? []).filter(
      ({ clusterName }) =>
        !own.has(clusterName) && this.#stay.has(clusterName) && this.#places.get(clusterName) === 1,
    );
  }

  add(write: DecisionWrite) {
    this.writes.push(write);
    this.#hold(write.name, write.object?.decisions ?? []);
  }
}

export function writesOf(wanted: DecisionObject[], known: KubeObject[]): DecisionWrite[] {
  const names = new Set(wanted.map(({ name }) => name));
  const gone = known.map(({ metadata }) => metadata.name).filter((name) => !names.has(name));
  const writing = new Writing(wanted, known);
  let left: DecisionWrite[] = [
    ...wanted.map((object) => ({ name: object.name, object })),
    ...gone.map((name) => ({ name })),
  ];
  const full = new Set<DecisionObject>();
  while (left.length > 0) {
    const next = left.find((write) => writing.lossOf(write).length === 0);
    if (next) {
      writing.add(next);
      left = left.filter((one) => one !== next);
      continue;
    }
    // Objects that exchange clusters: one has those of both for a while.
    const object = wanted.find((one) => !full.has(one) && left.some((of) => of.object === one))!;
    full.add(object);
    const { name } = object;
    const decisions = [...object.decisions, ...writing.lossOf({ name, object })];
    writing.add({ name, object: { ...object, decisions } });
  }
  return writing.writes;
}
