// Every namespace has the ConfigMap kube-root-ca.crt, by which its pods trust the API server.
import { resource } from "../client/client.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Controller } from "./runtime.ts";

const namespaces = resource("v1", "namespaces");
const configMaps = resource("v1", "configmaps");
const name = "kube-root-ca.crt";

/** `ca` gives the certificate of now, as PEM. */
export const rootCaController = (ca: () => string): Controller => ({
  name: "root-ca",
  inputs: [
    { resource: namespaces },
    {
      resource: configMaps,
      fieldSelector: `metadata.name=${name}`,
      keys: ({ metadata }) => [metadata.namespace!],
    },
  ],
  outputs: [configMaps],
  async reconcile(key, { client, informer }) {
    const namespace = informer(namespaces).get(key);
    if (!namespace || namespace.metadata.deletionTimestamp) return;
    const known = informer(configMaps).get(name, key);
    const data = { "ca.crt": ca() };
    if (known?.["data"]?.["ca.crt"] === data["ca.crt"]) return;
    const target = { ...configMaps, namespace: key };
    const metadata = {
      name,
      annotations: {
        "kubernetes.io/description":
          "The certificate by which clients inside the cluster know its API server.",
      },
    };
    if (known) return void (await client.patch({ ...target, name }, "merge", { data }));
    const draft = { apiVersion: "v1", kind: "ConfigMap", metadata, data };
    await client.create(target, draft).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists", "Forbidden", "NotFound")) throw error;
    });
  },
});
