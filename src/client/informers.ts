// One informer per resource and selection for a whole process.
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Scope } from "../lib/scope.ts";
import type { Client, Resource } from "./client.ts";
import { createInformer } from "./informer.ts";
import type { Informer } from "./informer.ts";

export interface InformerChoice {
  resource: Resource;
  /** Default: all of them. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface InformersOptions {
  client: Client;
  clock: Clock;
  log: Log;
  scope: Scope;
  /** What exists is listed and not streamed, since lists are compressed: for thin links. */
  lists?: boolean;
}

export const resourceKey = ({ group, version, resource }: Resource) =>
  `${group}/${version}/${resource}`;

export class Informers {
  readonly #options: InformersOptions;
  readonly #informers = new Map<string, Informer>();
  readonly #waiting = new Set<Resource>();

  constructor(options: InformersOptions) {
    this.#options = options;
  }

  /** The shared informer of a resource, started when first asked for. */
  get({
    resource,
    namespace = "",
    labelSelector = "",
    fieldSelector = "",
  }: InformerChoice): Informer {
    const key = [resourceKey(resource), namespace, labelSelector, fieldSelector].join("?");
    let informer = this.#informers.get(key);
    if (!informer) {
      const select = {
        ...(namespace && { namespace }),
        ...(labelSelector && { labelSelector }),
        ...(fieldSelector && { fieldSelector }),
      };
      informer = createInformer({ ...this.#options, resource, ...select });
      this.#informers.set(key, informer);
      const own = { ...resource };
      this.#waiting.add(own);
      void informer.synced().then(() => this.#waiting.delete(own));
    }
    return informer;
  }

  /** Those whose first list is not complete. */
  unsynced(): Resource[] {
    return [...this.#waiting];
  }
}
