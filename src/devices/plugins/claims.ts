// Takes and gives back slots for this node. A slot is taken by applying its entry without force: the server
// lets one node have it and refuses all others, whoever comes first.
import type { Client } from "../../client/client.ts";
import { isStatus } from "../../lib/status-error.ts";
import { instances } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";
import { parseUsage } from "./slots.ts";

type Entries = Record<string, string>;

const ownEntries = ({ spec }: Instance, node: string): Entries =>
  Object.fromEntries(
    Object.entries(spec.deviceUsage ?? {}).filter(([, text]) => parseUsage(text)?.node === node),
  );

const areFree = ({ spec }: Instance, slots: string[], node: string) =>
  slots.every((slot) => {
    const usage = parseUsage(spec.deviceUsage?.[slot]);
    return !usage || usage.node === node;
  });

export class Claims {
  readonly #client: Client;
  readonly #node: string;
  /** What is done to one Instance is done in turn. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(client: Client, node: string) {
    this.#client = client;
    this.#node = node;
  }

  /** Changes this node's entries as `edit` says; throws Conflict when another node has one of them. */
  change(
    namespace: string,
    name: string,
    edit: (own: Entries, instance: Instance) => Entries | undefined,
  ): Promise<void> {
    const key = `${namespace}/${name}`;
    const before = this.#turns.get(key) ?? Promise.resolve();
    const turn = before.catch(() => {}).then(() => this.#change(namespace, name, edit));
    this.#turns.set(key, turn);
    const done = () => {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    };
    turn.then(done, done);
    return turn;
  }

  async #change(
    namespace: string,
    name: string,
    edit: (own: Entries, instance: Instance) => Entries | undefined,
  ) {
    const target = { ...instances, namespace, name };
    const instance = await this.#client.get<Instance>(target);
    const wanted = edit(ownEntries(instance, this.#node), instance);
    if (!wanted) return;
    const { uid } = instance.metadata;
    const patch = (metadata: object) => ({
      apiVersion: "akri.sh/v0",
      kind: "Instance",
      metadata: { name, namespace, uid, ...metadata },
      spec: { deviceUsage: wanted },
    });
    const fieldManager = `dp-${this.#node}`;
    try {
      await this.#client.patch(target, "apply", patch({}), { fieldManager });
    } catch (error) {
      if (!isStatus(error, "Conflict")) throw error;
      // A slot that somebody declared free by "" is taken from them, unless it changes meanwhile.
      const now = await this.#client.get<Instance>(target);
      if (!areFree(now, Object.keys(wanted), this.#node)) throw error;
      const { resourceVersion } = now.metadata;
      const options = { fieldManager, force: true };
      await this.#client.patch(target, "apply", patch({ resourceVersion }), options);
    }
  }
}
