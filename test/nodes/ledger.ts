// What happened to pods and to requests, phase by phase: what the story of several machines is judged by.
import { readFileSync } from "node:fs";

export interface Entry {
  uid: string;
  node: string;
  ip: string;
  restarts: number;
  container: string;
}

/** Pods by name. */
export type Pods = Map<string, Entry>;

export interface Asked {
  served: number;
  lost: number;
  /** Who answered how often. */
  by: Map<string, number>;
}

/** Of the API's list. */
export function podsOf(list: { items: any[] }): Pods {
  const entry = ({ metadata, spec, status }: any): [string, Entry] => {
    const [container] = status.containerStatuses ?? [];
    return [
      metadata.name,
      {
        uid: metadata.uid,
        node: spec.nodeName,
        ip: status.podIP,
        restarts: container?.restartCount ?? 0,
        container: container?.containerID ?? "",
      },
    ];
  };
  return new Map(list.items.filter(({ metadata }) => !metadata.deletionTimestamp).map(entry));
}

/** What a client wrote down since it was looked at last: a line for each request. */
export class Requests {
  readonly #file: () => string;
  #read = 0;

  constructor(file: () => string) {
    this.#file = file;
  }

  since(): Asked {
    const lines = readFileSync(this.#file(), "utf8").split("\n").slice(0, -1);
    const asked: Asked = { served: 0, lost: 0, by: new Map() };
    for (const line of lines.slice(this.#read)) {
      const [outcome, who = ""] = line.split(" ");
      if (outcome === "ok") {
        asked.served += 1;
        asked.by.set(who, (asked.by.get(who) ?? 0) + 1);
      } else asked.lost += 1;
    }
    this.#read = lines.length;
    return asked;
  }
}

/** How pods differ in a phase: those that are not what they were before it. */
export function changes(before: Pods, now: Pods): string[] {
  const all: string[] = [];
  for (const [name, was] of before) {
    const is = now.get(name);
    if (!is) all.push(`${name} on ${was.node} is gone`);
    else if (is.uid !== was.uid) all.push(`${name} is another`);
    else {
      if (is.restarts !== was.restarts) {
        all.push(`${name} on ${is.node} restarted ${is.restarts - was.restarts} times`);
      } else if (is.container !== was.container) all.push(`${name} has another container`);
      if (is.ip !== was.ip) all.push(`${name} moved from ${was.ip} to ${is.ip}`);
    }
  }
  for (const [name, { node }] of now) if (!before.has(name)) all.push(`${name} is new on ${node}`);
  return all.toSorted();
}
