// How the pods of this node are, as the agent sees them: a server that is out of reach cannot tell.

export class OwnPods {
  readonly #ready = new Map<string, boolean>();
  readonly #listeners = new Set<() => void>();
  #version = 0;

  /** Another after each change. */
  get version() {
    return this.#version;
  }

  /** Undefined of a pod that is gone. */
  tell(uid: string, isReady: boolean | undefined) {
    if (this.#ready.get(uid) === isReady) return;
    if (isReady === undefined) this.#ready.delete(uid);
    else this.#ready.set(uid, isReady);
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }

  /** It is known, and not ready. */
  readonly isDown = (uid: string | undefined) =>
    uid !== undefined && this.#ready.get(uid) === false;

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
