// A new key for a site's Secrets: the key is on disk first, then every Secret is written again, then the
// history that was sealed with older keys is forgotten, then the older keys are. Cut short anywhere, all
// Secrets can be read, and the next start goes on.
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { StatusError } from "../../lib/status-error.ts";
import { reopenBody } from "../../server/encode.ts";
import type { Plugs } from "../../server/policy.ts";
import { RevisionMismatch } from "../../store/store.ts";
import type { Store } from "../../store/store.ts";
import type { SecretKeys, SecretsState } from "./secret-keys.ts";

export const secretsPath = "/kerb/secrets";
export const rotationPath = "/kerb/secrets/rotation";

/** What a rotation tells, one line each. */
export type RotationStep =
  | { step: "key"; id: string }
  | { step: "secrets"; done: number; of: number }
  | { step: "done"; id: string }
  | { step: "failed"; message: string };

interface Parts {
  keys: SecretKeys;
  store: Store;
  log: Log;
  scope: Scope;
}

/** Written at once. */
const batchSecrets = 100;

/** Tries before Secrets that others keep writing meanwhile count as a failure. */
const roundsMax = 10;

/** The same object again: its bytes go to disk under the key that seals now. */
async function rewrite(store: Store, key: string) {
  const entry = await store.get(key);
  if (!entry) return;
  try {
    await store.update(key, entry.revision, reopenBody(entry.value));
  } catch (error) {
    // Whoever was faster wrote it under the new key.
    if (!(error instanceof RevisionMismatch)) throw error;
  }
}

/** Goes on with a rotation that has begun. */
async function* goOn({ keys, store }: Parts): AsyncGenerator<RotationStep> {
  const { id } = keys.state().keys[0]!;
  for (let round = 0; round < roundsMax; round++) {
    const stale = keys.stale();
    for (let at = 0; at < stale.length; at += batchSecrets) {
      await Promise.all(stale.slice(at, at + batchSecrets).map((key) => rewrite(store, key)));
      const done = Math.min(at + batchSecrets, stale.length);
      yield { step: "secrets", done, of: stale.length };
    }
    await store.compact(store.revision());
    if (keys.finish()) return yield { step: "done", id };
  }
  throw new Error("Secrets are still under an older key; run the rotation again");
}

export class Rotation {
  readonly #parts: Parts;
  #running = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A second one, while the first goes on, is refused. */
  async *run(): AsyncGenerator<RotationStep> {
    const { keys } = this.#parts;
    if (this.#running) throw new StatusError("Conflict", "Secrets are being rewritten already");
    this.#running = true;
    try {
      // One that was cut short is brought to its end instead of another being begun.
      if (!keys.isRotating) keys.begin();
      yield { step: "key", id: keys.state().keys[0]!.id };
      yield* goOn(this.#parts);
    } finally {
      this.#running = false;
    }
  }

  /** What an earlier process left undone. */
  async resume() {
    const { keys, log } = this.#parts;
    if (!keys.isRotating) return;
    for await (const step of this.run()) log.info("Secrets are rewritten under a new key", step);
  }
}

async function* lines(steps: AsyncGenerator<RotationStep>): AsyncGenerator<Uint8Array> {
  try {
    for await (const step of steps) yield Buffer.from(`${JSON.stringify(step)}\n`);
  } catch (error) {
    const failed: RotationStep = { step: "failed", message: (error as Error).message };
    yield Buffer.from(`${JSON.stringify(failed)}\n`);
  }
}

const notAllowed = () => new StatusError("MethodNotAllowed", "this path is not asked that way");

/** GET tells how Secrets are kept, POST gives them a new key; for those who may everything. */
export function plugSecrets(plugs: Plugs, parts: Parts) {
  const rotation = new Rotation(parts);
  plugs.paths.set(secretsPath, async ({ method }) => {
    if (method !== "GET") throw notAllowed();
    const state: SecretsState = parts.keys.state();
    return { code: 200, object: state };
  });
  plugs.paths.set(rotationPath, async ({ method }) => {
    if (method !== "POST") throw notAllowed();
    const headers = { "content-type": "application/json" };
    return { code: 200, headers, stream: lines(rotation.run()) };
  });
  const resuming = rotation.resume().catch((error: Error) => {
    parts.log.error("Secrets are not all under the new key", { error: error.message });
  });
  parts.scope.defer(() => resuming);
}

/** Servers that share a store would each need the new key before the first Secret is under it. */
export function plugNoRotation(plugs: Plugs) {
  for (const path of [secretsPath, rotationPath]) {
    plugs.paths.set(path, () => {
      const message =
        "Secrets of a cluster on etcd are encrypted, and their key cannot be changed yet";
      throw new StatusError("NotImplemented", message);
    });
  }
}
