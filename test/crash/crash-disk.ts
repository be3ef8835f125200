// A disk that loses what it was not told to keep. What was synced is there after a crash; of the rest any part
// may be, in any order: names that were changed and not synced, contents that were written and not synced.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { WriteStep } from "../../src/node/whole-file.ts";

interface Content {
  text: string;
  synced: boolean;
}

type Names = Map<string, Content>;
type Change = { path: string; content: Content; removes?: string };

/** Path to text, as somebody finds it after a crash. */
export type Found = Map<string, string>;

const changesMax = 6;

/** All orders of all parts. */
function* parts<T>(all: T[]): Generator<T[]> {
  yield [];
  for (const [i, one] of all.entries()) {
    for (const rest of parts(all.toSpliced(i, 1))) yield [one, ...rest];
  }
}

export class CrashDisk {
  /** As those see it who do not crash. */
  #names: Names = new Map();
  #durable: Names = new Map();
  #changes: Change[] = [];

  take = (step: WriteStep) => {
    if (step.do === "write") this.write(step.path, step.text, true);
    if (step.do === "rename") {
      const content = this.#names.get(step.from)!;
      this.#names.delete(step.from);
      this.#change({ path: step.to, content, removes: step.from });
    }
    if (step.do === "sync") this.#sync(step.path);
  };

  /** What a writer in a hurry does. */
  write(path: string, text: string, synced: boolean) {
    const known = this.#names.get(path);
    const content = { text, synced };
    // Written over, not replaced: whoever finds the name finds the new content, or what of it got there.
    if (known)
      for (const names of [this.#names, this.#durable])
        if (names.has(path)) names.set(path, content);
    if (!known) this.#change({ path, content });
  }

  #change(change: Change) {
    this.#changes.push(change);
    if (this.#changes.length > changesMax) throw new Error("too many changes to try all orders of");
    this.#names.set(change.path, change.content);
  }

  #sync(folder: string) {
    const here = ({ path }: Change) => dirname(path) === folder;
    for (const change of this.#changes.filter(here)) apply(this.#durable, change);
    this.#changes = this.#changes.filter((one) => !here(one));
  }

  read(path: string): string | undefined {
    return this.#names.get(path)?.text;
  }

  /** Everything that may be found if the power goes now. */
  *crashes(): Generator<Found> {
    for (const changes of parts(this.#changes)) {
      const names = new Map(this.#durable);
      for (const change of changes) apply(names, change);
      const torn = [...names].filter(([, { synced }]) => !synced);
      yield texts(names, (content) => content.text);
      // Contents that were not synced: half of it, or nothing.
      if (torn.length === 0) continue;
      yield texts(names, ({ text, synced }) => (synced ? text : text.slice(0, text.length / 2)));
      yield texts(names, ({ text, synced }) => (synced ? text : ""));
    }
  }
}

function apply(names: Names, { path, content, removes }: Change) {
  names.set(path, content);
  if (removes !== undefined) names.delete(removes);
}

const texts = (names: Names, textOf: (content: Content) => string): Found =>
  new Map([...names].map(([path, content]) => [path, textOf(content)]));

/** Writes what was found into a real folder, for those who read real files. */
export function materialized(found: Found): string {
  const folder = mkdtempSync(join(tmpdir(), "kerb-crash-"));
  for (const [path, text] of found) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}
