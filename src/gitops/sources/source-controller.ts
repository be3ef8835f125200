// Keeps what a source has: looks for its revision at each interval, fetches what is new, and says so. A source that
// cannot be reached keeps its last good copy and says why it is not newer.
import { keyOf } from "../../client/cache.ts";
import type { Resource } from "../../client/client.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { withConditions } from "../../lib/conditions.ts";
import type { Condition } from "../../lib/conditions.ts";
import { differs } from "../../lib/differs.ts";
import { durationMs } from "../../lib/parse-duration.ts";
import { mustKnow } from "../fields.ts";
import type { Fields } from "../fields.ts";
import type { Found } from "../host.ts";
import type { Artifacts } from "./artifacts.ts";

const intervalMsMin = 1000;
const retryMs = 10_000;

export interface SourceKind {
  name: string;
  resource: Resource;
  fields: Fields;
  /** Asks the source; throws an Error that says what is wrong. */
  find(source: KubeObject, context: ControllerContext): Promise<Found>;
}

export const readyCondition = (
  generation: number | undefined,
  status: Condition["status"],
  reason: string,
  message: string,
): Condition => ({
  ...{ type: "Ready", status, reason, message },
  ...(generation !== undefined && { observedGeneration: generation }),
});

interface Outcome {
  conditions: Condition[];
  revision?: string;
  failed: boolean;
}

class Source {
  readonly #kind: SourceKind;
  readonly #artifacts: Artifacts;
  readonly #context: ControllerContext;
  readonly #object: KubeObject;

  constructor(
    kind: SourceKind,
    artifacts: Artifacts,
    context: ControllerContext,
    object: KubeObject,
  ) {
    this.#kind = kind;
    this.#artifacts = artifacts;
    this.#context = context;
    this.#object = object;
  }

  async #look(): Promise<Outcome> {
    const { metadata, spec } = this.#object;
    const { uid, generation } = metadata;
    const before = this.#artifacts.get(uid);
    const ready = (status: Condition["status"], reason: string, message: string) =>
      readyCondition(generation, status, reason, message);
    try {
      mustKnow(spec, this.#kind.fields, "spec");
    } catch (error) {
      const { message } = error as Error;
      return { conditions: [ready("False", "Unsupported", message)], failed: false };
    }
    try {
      const found = await this.#kind.find(this.#object, this.#context);
      if (found.revision !== before?.revision) {
        this.#artifacts.put(uid, found.revision, await found.fetch());
      }
      const conditions = [
        ready("True", "Succeeded", `stored artifact for revision '${found.revision}'`),
      ];
      if (spec.verify) {
        conditions.push({
          ...{ type: "SourceVerified", status: "True", reason: "Succeeded" },
          message: `verified signature of revision ${found.revision}`,
        });
      }
      return { conditions, revision: found.revision, failed: false };
    } catch (error) {
      const { message } = error as Error;
      const kept = before ? `; the last good copy is ${before.revision}` : "";
      return { conditions: [ready("False", "Failed", message + kept)], failed: true };
    }
  }

  /** Resolves with when to look again. */
  async keep(): Promise<number | undefined> {
    const { metadata, spec, status } = this.#object;
    if (spec.suspend) return undefined;
    const { conditions: wanted, failed } = await this.#look();
    const artifact = this.#artifacts.get(metadata.uid);
    const now = this.#context.clock.now();
    const had = status?.["artifact"];
    const body = {
      observedGeneration: metadata.generation,
      conditions: withConditions(status?.conditions, wanted, now),
      ...(artifact && {
        artifact:
          had?.revision === artifact.revision
            ? had
            : {
                revision: artifact.revision,
                lastUpdateTime: timestamp(now),
                files: artifact.files.size,
              },
      }),
    };
    if (differs(body, status)) {
      const { namespace, name, resourceVersion } = metadata;
      const target = { ...this.#kind.resource, namespace, name, subresource: "status" };
      const patch = { metadata: { resourceVersion }, status: body };
      await this.#context.client.patch(target, "merge", patch);
    }
    const intervalMs = Math.max(durationMs(spec.interval) ?? 60_000, intervalMsMin);
    return failed ? Math.min(intervalMs, retryMs) : intervalMs;
  }
}

export function sourceController(kind: SourceKind, artifacts: Artifacts): Controller {
  /** What was asked last, and from when (monotonic ms) the same is asked again. */
  const known = new Map<string, { uid: string; asked: string; dueAt: number }>();
  return {
    name: kind.name,
    inputs: [{ resource: kind.resource }],
    outputs: [kind.resource],
    async reconcile(key, context) {
      const [namespace, name] = key.split("/") as [string, string];
      const object = context.informer(kind.resource).get(name, namespace);
      const before = known.get(key);
      if (before && before.uid !== object?.metadata.uid) {
        artifacts.forget(before.uid);
        known.delete(key);
      }
      if (!object || object.metadata.deletionTimestamp) return;
      const { uid, generation, annotations } = object.metadata;
      const asked = JSON.stringify([generation, annotations]);
      // Its own status is no reason to ask again.
      if (before?.uid === uid && before.asked === asked) {
        const leftMs = before.dueAt - context.clock.monotonic();
        if (leftMs === Number.POSITIVE_INFINITY) return;
        if (leftMs > 0) return context.wakeAfter(key, leftMs + 1);
      }
      const againMs = await new Source(kind, artifacts, context, object).keep();
      const dueAt = context.clock.monotonic() + (againMs ?? Number.POSITIVE_INFINITY);
      known.set(key, { uid, asked, dueAt });
      if (againMs !== undefined) context.wakeAfter(keyOf(object), againMs + 1);
    },
  };
}
