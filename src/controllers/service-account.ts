// Every namespace has a ServiceAccount named default.
import { resource } from "../client/client.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Controller } from "./runtime.ts";

const namespaces = resource("v1", "namespaces");
const serviceAccounts = resource("v1", "serviceaccounts");

export const serviceAccountController: Controller = {
  name: "service-account",
  inputs: [
    { resource: namespaces },
    {
      resource: serviceAccounts,
      keys: ({ metadata }) => (metadata.name === "default" ? [metadata.namespace!] : []),
    },
  ],
  outputs: [serviceAccounts],
  async reconcile(name, { client, informer }) {
    const namespace = informer(namespaces).get(name);
    if (!namespace || namespace.metadata.deletionTimestamp) return;
    if (informer(serviceAccounts).get("default", name)) return;
    const draft = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } };
    await client.create({ ...serviceAccounts, namespace: name }, draft).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists", "Forbidden", "NotFound")) throw error;
    });
  },
};
