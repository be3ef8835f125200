// What a place for revisions must give. `LogStore` builds the whole contract of `store.ts` on these few
// calls, once, so a backend holds no policy.
import type { Change } from "./change.ts";

export interface Backend {
  /** The live revision of a key. */
  revisionOf(key: string): number | undefined;
  /** The change made at a revision, while it is kept. */
  change(revision: number): Change | undefined;
  /** Live keys in byte order with their revisions, from `after` (exclusive) or the prefix on. */
  keys(prefix: string, after: string | undefined): Iterable<[key: string, revision: number]>;
  /** How many live keys there are under a prefix behind `after`. */
  count(prefix: string, after: string | undefined): number;
  /** Kept changes behind `after`, in order. */
  changes(after: number): Iterable<Change>;
  /** Puts changes, and forgets `removed` revisions, as one: all or nothing, durable when it resolves. */
  commit(changes: Change[], removed: number[], compacted?: number): Promise<void>;
  close(): Promise<void>;
}
