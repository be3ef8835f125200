// Makes and removes the pods of one owner: tells of it in events, and remembers what the cache does not show yet.
import type { Draft, KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import { pods } from "./claim.ts";
import { expectationsOf } from "./expectations.ts";
import type { ControllerContext, Key } from "./runtime.ts";

export class PodControl {
  readonly #owner: KubeObject;
  readonly #key: Key;
  readonly #context: ControllerContext;

  constructor(owner: KubeObject, key: Key, context: ControllerContext) {
    this.#owner = owner;
    this.#key = key;
    this.#context = context;
  }

  #tell(type: "Normal" | "Warning", reason: string, message: string) {
    this.#context.event(this.#owner, type, reason, message);
  }

  async #create(draft: Draft) {
    const at = { ...pods, namespace: this.#owner.metadata.namespace };
    const pod = await this.#context.client.create(at, draft);
    expectationsOf(this.#context).created(this.#key, pod);
    this.#tell("Normal", "SuccessfulCreate", `Created pod: ${pod.metadata.name}`);
  }

  /**
   * In batches that double, so that a quota or a broken template fails once and not a thousand times. Rejects with
   * the first failure.
   */
  async create(drafts: Draft[]) {
    for (let from = 0, size = 1; from < drafts.length; from += size, size *= 2) {
      const batch = drafts.slice(from, from + size);
      const results = await Promise.allSettled(batch.map((draft) => this.#create(draft)));
      const failed = results.find((result) => result.status === "rejected");
      if (!failed) continue;
      this.#tell("Warning", "FailedCreate", `Error creating: ${(failed.reason as Error).message}`);
      throw failed.reason;
    }
  }

  /** One that is gone already, or another by now, is no failure. */
  async delete(pod: KubeObject) {
    const { name, namespace, uid } = pod.metadata;
    try {
      await this.#context.client.delete({ ...pods, namespace, name }, { preconditions: { uid } });
      expectationsOf(this.#context).deleted(this.#key, pod);
      this.#tell("Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
    } catch (error) {
      if (isStatus(error, "NotFound", "Conflict")) return;
      this.#tell("Warning", "FailedDelete", `Error deleting: ${(error as Error).message}`);
      throw error;
    }
  }
}
