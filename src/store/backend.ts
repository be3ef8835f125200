// What a place for revisions must give. `LogStore` builds the whole contract of `store.ts` on these few
// calls, once, so a backend holds no policy.
import type { Blocks } from "./blocks.ts";
import type { Change, Head } from "./change.ts";

/** What must outlive a crash beside the changes. */
export interface Facts {
  /** Revisions up to here may have been given. */
  ceiling: number;
  /** Resources (`leases.coordination.k8s.io/`) that have volatile keys. */
  volatile: string[];
}

/** What one commit does, all or nothing. */
export interface Commit {
  changes?: Change[];
  /** Revisions to forget. */
  removed?: number[];
  /** History up to here is forgotten with this commit. */
  compacted?: number;
  facts?: Facts;
}

export interface Backend {
  /** The live revision of a key. */
  revisionOf(key: string): number | undefined;
  /** The value written at a revision, while it is kept; copied into `blocks` when given. */
  value(revision: number, blocks?: Blocks): Uint8Array | undefined;
  /** Live keys in order with their revisions, from `after` (exclusive) or the prefix on. */
  keys(prefix: string, after: string | undefined): Iterable<[key: string, revision: number]>;
  /** How many live keys there are under a prefix behind `after`. */
  count(prefix: string, after: string | undefined): number;
  /** Kept changes behind `after`, in order. */
  heads(after: number): Iterable<Head>;
  /** Durable when it resolves. Throws StoreFull; then nothing of it is kept. */
  commit(commit: Commit): Promise<void>;
  close(): Promise<void>;
}
