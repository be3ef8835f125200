// Makes the way to sites part of the hub's API: a Service that leads to this process, and the APIService that
// sends its group version there.
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { reachGroup, reachVersion } from "./protocol.ts";
import { startReachServer } from "./reach-server.ts";
import type { FrontProxy } from "./reach-server.ts";

const namespace = "kube-system";
const serviceName = "kerb-reach";
const services = resource("v1", "services");
const apiServices = resource("apiregistration.k8s.io/v1", "apiservices");
const manager = { fieldManager: "kerb-hub" };
const configMaps = resource("v1", "configmaps");

/** The name that the API server looks for in the certificate. */
export const reachServerName = `${serviceName}.${namespace}.svc`;

interface Place {
  host: string;
  port: number;
  /** PEM. */
  ca: string;
}

export interface ReachOptions {
  client: Client;
  /** A certificate for `name` with the authority that signed it: PEM texts. */
  makeServing: (name: string) => { ca: string; cert: string; key: string };
  /** Where the API server reaches this process. */
  host: string;
  clock: Clock;
  log: Log;
  scope: Scope;
}

async function frontProxyOf(client: Client): Promise<FrontProxy | undefined> {
  const name = "extension-apiserver-authentication";
  const { data = {} } = await client.get<any>({ ...configMaps, namespace, name });
  const ca = data["requestheader-client-ca-file"];
  return ca && { ca, names: JSON.parse(data["requestheader-allowed-names"] ?? "[]") };
}

async function publish(client: Client, { host, port, ca }: Place) {
  await apply(
    client,
    services,
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: serviceName, namespace },
      spec: { type: "ExternalName", externalName: host },
    },
    manager,
  );
  await apply(
    client,
    apiServices,
    {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      metadata: { name: `${reachVersion}.${reachGroup}` },
      spec: {
        group: reachGroup,
        version: reachVersion,
        groupPriorityMinimum: 1000,
        versionPriority: 10,
        service: { namespace, name: serviceName, port },
        caBundle: Buffer.from(ca).toString("base64"),
      },
    },
    manager,
  );
}

export async function startReach({ client, makeServing, host, clock, log, scope }: ReachOptions) {
  const frontProxy = await frontProxyOf(client);
  if (!frontProxy) {
    const why = "its API server has no front proxy (--requestheader-client-ca-file)";
    return log.warn("nobody reaches sites through this cluster", { why });
  }
  const { ca, ...tls } = makeServing(reachServerName);
  const port = await startReachServer({ tls, frontProxy, host, clock, log, scope });
  await publish(client, { host, port, ca });
}
