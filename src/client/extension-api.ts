// How a process makes itself part of a cluster's API: a Service that leads to it, and an APIService for each group
// version that it answers for.
import type { FrontProxy } from "../lib/front-proxy.ts";
import { apply } from "./apply.ts";
import { resource } from "./client.ts";
import type { Client } from "./client.ts";

const services = resource("v1", "services");
const apiServices = resource("apiregistration.k8s.io/v1", "apiservices");
const configMaps = resource("v1", "configmaps");
const namespace = "kube-system";

export interface ExtensionApi {
  /** Of the Service, in kube-system. */
  name: string;
  /** `group/version`. */
  groupVersions: string[];
  fieldManager: string;
}

export interface ExtensionPlace {
  /** Where the API server reaches this process. */
  host: string;
  port: number;
  /** Who signed its certificate: PEM. */
  ca: string;
}

/** The name that the API server looks for in the certificate. */
export const servedName = ({ name }: Pick<ExtensionApi, "name">) => `${name}.${namespace}.svc`;

/** Undefined where the API server has no front proxy. */
export async function frontProxyOf(client: Client): Promise<FrontProxy | undefined> {
  const name = "extension-apiserver-authentication";
  const { data = {} } = await client.get<any>({ ...configMaps, namespace, name });
  const ca = data["requestheader-client-ca-file"];
  return ca && { ca, names: JSON.parse(data["requestheader-allowed-names"] ?? "[]") };
}

export async function publishApi(
  client: Client,
  { name, groupVersions, fieldManager }: ExtensionApi,
  { host, port, ca }: ExtensionPlace,
) {
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { type: "ExternalName", externalName: host },
  };
  await apply(client, services, service, { fieldManager });
  for (const groupVersion of groupVersions) {
    const [group, version] = groupVersion.split("/") as [string, string];
    const apiService = {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      metadata: { name: `${version}.${group}` },
      spec: {
        ...{ group, version, groupPriorityMinimum: 1000, versionPriority: 10 },
        service: { namespace, name, port },
        caBundle: Buffer.from(ca).toString("base64"),
      },
    };
    await apply(client, apiServices, apiService, { fieldManager });
  }
}
