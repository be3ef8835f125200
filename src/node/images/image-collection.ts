// Which images and dead containers a node can do without. An image without a digest was brought by file and
// cannot be pulled again, so it stays; so does the sandboxes' own.
import type { AgentContext } from "../context.ts";
import type { PodWorker } from "../pods/pod-worker.ts";
import type { ImageStatus } from "../runtime.ts";

export interface CollectionLimits {
  /** Percent of the images' filesystem at which collecting begins. */
  highPercent: number;
  /** And to which it goes down. */
  lowPercent: number;
  /** An image is kept at least this long after it was last used. */
  ageMsMin: number;
}

/** kubelet's own. */
export const defaultCollection: CollectionLimits = {
  highPercent: 85,
  lowPercent: 80,
  ageMsMin: 120_000,
};

export interface KnownImage extends ImageStatus {
  /** Monotonic milliseconds: when a container last used it, or when it was first seen. */
  usedAt: number;
}

/** The least recently used images whose going frees `bytes`; all of them when it takes that. Pure. */
export function imagesToRemove(
  images: KnownImage[],
  inUse: Set<string>,
  { bytes, now, ageMsMin }: { bytes: number; now: number; ageMsMin: number },
): KnownImage[] {
  const free = images
    .filter(({ id, digests, pinned }) => !inUse.has(id) && digests.length > 0 && !pinned)
    .filter(({ usedAt }) => now - usedAt >= ageMsMin)
    .sort((a, b) => a.usedAt - b.usedAt);
  let left = bytes;
  return free.filter(({ sizeBytes }) => {
    if (left <= 0) return false;
    left -= sizeBytes;
    return true;
  });
}

/** How many bytes must go; 0 while the disk is not that full. Pure. */
export function bytesToFree(
  { available, capacity }: { available: number; capacity: number },
  { highPercent, lowPercent }: CollectionLimits,
): number {
  const used = capacity - available;
  if (used * 100 < capacity * highPercent) return 0;
  return Math.ceil(used - (capacity * lowPercent) / 100);
}

export class ImageCollection {
  readonly #context: AgentContext;
  readonly #workers: () => Iterable<PodWorker>;
  readonly #limits: CollectionLimits;
  readonly #usedAt = new Map<string, number>();

  constructor(context: AgentContext, workers: () => Iterable<PodWorker>, limits: CollectionLimits) {
    this.#context = context;
    this.#workers = workers;
    this.#limits = limits;
  }

  async #inUse(): Promise<Set<string>> {
    const { runtime } = this.#context;
    const used = new Set<string>();
    for (const { containers } of (await runtime.pods()).values()) {
      for (const { imageId } of containers) used.add(imageId);
    }
    for (const { state, pod } of this.#workers()) {
      // Those that are there for a container that is about to start.
      for (const id of state.images.values()) used.add(id);
      const shown = (pod.spec.volumes ?? []).flatMap((one: any) => one.image?.reference ?? []);
      for (const ref of shown) used.add((await runtime.imageStatus(ref))?.id ?? "");
    }
    return used;
  }

  /** Removes what frees `bytes`. Resolves with true when something went. */
  async #free(bytes: number, ageMsMin: number): Promise<boolean> {
    const { runtime, clock, log } = this.#context;
    const [images, inUse] = await Promise.all([runtime.listImages(), this.#inUse()]);
    const now = clock.monotonic();
    for (const { id } of images) {
      if (inUse.has(id) || !this.#usedAt.has(id)) this.#usedAt.set(id, now);
    }
    const ids = new Set(images.map(({ id }) => id));
    for (const id of this.#usedAt.keys()) if (!ids.has(id)) this.#usedAt.delete(id);
    const known = images.map((one) => ({ ...one, usedAt: this.#usedAt.get(one.id)! }));
    const unneeded = imagesToRemove(known, inUse, { bytes, now, ageMsMin });
    for (const { tags, digests } of unneeded) {
      const image = tags[0] ?? digests[0]!;
      log.info("removing an image that nothing uses", { image });
      await runtime.removeImage(image);
    }
    return unneeded.length > 0;
  }

  /** The regular turn: keeps the disk below its mark. */
  async collect(disk: { available: number; capacity: number }) {
    await this.#free(bytesToFree(disk, this.#limits), this.#limits.ageMsMin);
  }

  /** Everything that can go, now. */
  reclaim(): Promise<boolean> {
    return this.#free(Infinity, 0);
  }
}
