// An API server in this process with the built-in kinds and no node: what controllers and the scheduler
// are tried against.
import { localClient } from "../../src/client/local.ts";
import type { Client, Resource } from "../../src/client/client.ts";
import type { Informer } from "../../src/client/informer.ts";
import { Informers } from "../../src/client/informers.ts";
import { builtinKinds } from "../../src/kinds/kinds.ts";
import type { KubeObject } from "../../src/kinds/object.ts";
import { systemClock, type Clock } from "../../src/lib/clock.ts";
import { silent } from "../../src/lib/log.ts";
import { seededRandom, type Random } from "../../src/lib/random.ts";
import { Scope } from "../../src/lib/scope.ts";
import type { AdmissionOptions } from "../../src/server/admission/admission.ts";
import type { Admission } from "../../src/server/policy.ts";
import { createServer, type ApiServer } from "../../src/server/server.ts";
import { memoryStore } from "../../src/store/memory.ts";
import type { Store } from "../../src/store/store.ts";

export interface Cluster {
  server: ApiServer;
  client: Client;
  clock: Clock;
  random: Random;
  log: typeof silent;
  scope: Scope;
  informers: Informers;
  informer: (resource: Resource) => Informer;
  /** Resolves with the object once `holds` says so; `undefined` stands for one that is not there. */
  until<T>(resource: Resource, look: (objects: KubeObject[]) => T | undefined | false): Promise<T>;
}

export interface ClusterOptions {
  clock?: Clock;
  store?: Store;
  serviceCidrs?: string[];
  /** Makes the admission plugins; default: none. */
  admission?: (parts: Pick<AdmissionOptions, "store" | "clock" | "random">) => Admission[];
}

export function startCluster(options: ClusterOptions = {}): Cluster {
  const { clock = systemClock, store = memoryStore() } = options;
  const scope = new Scope();
  const random = seededRandom(1);
  const kinds = builtinKinds();
  const server = createServer({
    store,
    kinds,
    clock,
    random,
    log: silent,
    serviceCidrs: options.serviceCidrs ?? ["10.96.0.0/24"],
    admission: options.admission?.({ store, clock, random }) ?? [],
  });
  scope.defer(() => store.close());
  scope.defer(() => server.close());
  const client = localClient(server, { name: "admin", groups: ["system:masters"] }, "test");
  const informers = new Informers({ client, clock, log: silent, scope });
  const informer = (resource: Resource) => informers.get({ resource });
  return {
    server,
    client,
    clock,
    random,
    log: silent,
    scope,
    informers,
    informer,
    until: (resource, look) =>
      new Promise((resolve) => {
        let stop: (() => void) | undefined;
        let done = false;
        let complete = false;
        const check = () => {
          if (done || !complete) return;
          const found = look(informer(resource).list());
          if (found === undefined || found === false) return;
          done = true;
          stop?.();
          resolve(found);
        };
        stop = informer(resource).subscribe({ onAdd: check, onUpdate: check, onDelete: check });
        void informer(resource)
          .synced()
          .then(() => {
            complete = true;
            check();
          });
      }),
  };
}
