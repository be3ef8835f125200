// One node looks for all: which one it is, is said by a Lease of each Configuration.
import type { Client } from "../../client/client.ts";
import { startElection } from "../../client/leader-election.ts";
import type { Scope } from "../../lib/scope.ts";
import type { HandlerWorld } from "../discovery/handler.ts";

export const searchLease = (configuration: string) => `akri-search-${configuration}`;

export interface OneNodeOptions {
  client: Client;
  node: string;
  /** The Configuration's. */
  namespace: string;
  name: string;
  world: HandlerWorld;
  scope: Scope;
  /** Whether this node is the one, each time that changes. */
  chosen: (isChosen: boolean) => void;
}

export function startOneNode(options: OneNodeOptions) {
  const { client, node, namespace, name, world, scope, chosen } = options;
  const { clock, random, log } = world;
  startElection({
    client,
    namespace,
    name: searchLease(name),
    identity: node,
    lead: async (term) => {
      chosen(true);
      term.defer(() => chosen(false));
    },
    ...{ clock, random, log, scope },
  });
}
