// The pods that keep the copies of a volume, one on each of its nodes.
import type { ControllerContext } from "../../controllers/runtime.ts";
import { isTerminating, isTrue } from "../../controllers/pod-state.ts";
import { resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";
import { pods } from "../kinds/resources.ts";
import { replicaPod, replicaPodName } from "./replica-pod.ts";

const nodes = resource("v1", "nodes");

const runs = (pod: KubeObject | undefined) =>
  pod?.status?.phase === "Running" &&
  !isTerminating(pod) &&
  (pod.status.containerStatuses ?? []).some(({ state }: any) => state?.running);

export async function removePod({ client }: ControllerContext, { metadata }: KubeObject) {
  const { namespace, name, uid } = metadata;
  await client
    .delete({ ...pods, namespace, name }, { preconditions: { uid } })
    .catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
}

export class Replicas {
  readonly #context: ControllerContext;
  readonly #claim: KubeObject;
  readonly #volume: string;
  readonly #nodes: string[];

  /** Of the volume of a claim, on these nodes. */
  constructor(context: ControllerContext, claim: KubeObject, of: { volume: string; on: string[] }) {
    this.#context = context;
    this.#claim = claim;
    this.#volume = of.volume;
    this.#nodes = of.on;
  }

  on(node: string): KubeObject | undefined {
    const name = replicaPodName(this.#volume, node);
    return this.#context.informer(pods).get(name, this.#claim.metadata.namespace);
  }

  /** Nodes whose copy has a pod that runs. */
  up(): string[] {
    return this.#nodes.filter((node) => {
      const found = this.#context.informer(nodes).get(node);
      return found !== undefined && isTrue(found, "Ready") && runs(this.on(node)) === true;
    });
  }

  async ensure() {
    const { client } = this.#context;
    const { namespace } = this.#claim.metadata;
    for (const node of this.#nodes) {
      const known = this.on(node);
      if (known && ["Failed", "Succeeded"].includes(known.status?.phase)) {
        await removePod(this.#context, known);
      }
      if (known) continue;
      const draft = replicaPod(this.#claim, this.#volume, node);
      await client.create({ ...pods, namespace: namespace! }, draft).catch((error: unknown) => {
        if (!isStatus(error, "AlreadyExists")) throw error;
      });
    }
  }

  async remove() {
    for (const node of this.#nodes) {
      const known = this.on(node);
      if (known && !isTerminating(known)) await removePod(this.#context, known);
    }
  }
}
