// Makes the wing part of the cluster's API: its subresources, and its word in admission.
import { randomBytes } from "node:crypto";
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { frontProxyOf, publishApi, servedName } from "../../client/extension-api.ts";
import type { ExtensionApi } from "../../client/extension-api.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { NodeConnector } from "../../lib/node-connection.ts";
import type { Scope } from "../../lib/scope.ts";
import { cdiConfigs } from "../kinds/resources.ts";
import { UploadTokens } from "../disks/upload-token.ts";
import { evictPath, mutatePath, reviewsOf, validatePath } from "../admission/reviews.ts";
import { groupVersions } from "./protocol.ts";
import { startApiServer } from "./server.ts";
import type { Outside } from "./server.ts";
import { uploadGroupVersion } from "./upload.ts";

const api: ExtensionApi = {
  name: "kerb-vms",
  groupVersions: [...groupVersions, uploadGroupVersion],
  fieldManager: "kerb-vms",
};
const configuration = (kind: string) =>
  resource("admissionregistration.k8s.io/v1", `${kind.toLowerCase()}webhookconfigurations`);

export interface VmApiOptions {
  client: Client;
  connect: NodeConnector;
  /** A certificate for `name` with the authority that signed it: PEM texts. */
  makeServing: (name: string) => { ca: string; cert: string; key: string };
  /** Where the API server reaches this process. */
  host: string;
  /** The port of the last time, so that what was told of it stays true. */
  port: { read: () => number | undefined; keep: (port: number) => void };
  outside: Outside;
  clock: Clock;
  log: Log;
  scope: Scope;
}

interface Rule {
  group: string;
  resources: string[];
  operations: string[];
}

const onWrites = ["CREATE", "UPDATE"];
const validated: Rule[] = [
  {
    group: "kubevirt.io",
    resources: ["virtualmachines", "virtualmachineinstances", "virtualmachineinstancereplicasets"],
    operations: onWrites,
  },
  {
    group: "migrations.kubevirt.io",
    resources: ["migrationpolicies"],
    operations: onWrites,
  },
  { group: "pool.kubevirt.io", resources: ["virtualmachinepools"], operations: onWrites },
  {
    group: "cdi.kubevirt.io",
    resources: ["datavolumes", "datasources", "dataimportcrons"],
    operations: onWrites,
  },
];
const mutated: Rule[] = [
  { group: "kubevirt.io", resources: ["virtualmachineinstances"], operations: ["CREATE"] },
];

const evicted: Rule[] = [{ group: "", resources: ["pods/eviction"], operations: ["CREATE"] }];

interface Webhook {
  name: string;
  path: string;
  rules: Rule[];
  failurePolicy: "Fail" | "Ignore";
}

async function register(
  client: Client,
  { kind, webhooks }: { kind: "Validating" | "Mutating"; webhooks: Webhook[] },
  { port, ca }: { port: number; ca: string },
) {
  const object = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: "kerb-vms" },
    webhooks: webhooks.map(({ name, path, rules, failurePolicy }) => ({
      name: `${name}.vms.kerb.dev`,
      admissionReviewVersions: ["v1"],
      sideEffects: "NoneOnDryRun",
      failurePolicy,
      matchPolicy: "Equivalent",
      clientConfig: {
        service: { name: api.name, namespace: "kube-system", path, port },
        caBundle: Buffer.from(ca).toString("base64"),
      },
      rules: rules.map(({ group, resources, operations }) => ({
        ...{ apiGroups: [group], apiVersions: ["*"], resources, operations },
      })),
    })),
  };
  await apply(client, configuration(kind), object, { fieldManager: api.fieldManager });
}

const mutating: Webhook = {
  ...{ name: "mutating", path: mutatePath, rules: mutated, failurePolicy: "Fail" },
};
const validating: Webhook = {
  ...{ name: "validating", path: validatePath, rules: validated, failurePolicy: "Fail" },
};
/** Nodes are drained with or without us. */
const evicting: Webhook = {
  ...{ name: "evicting", path: evictPath, rules: evicted, failurePolicy: "Ignore" },
};

const urlOf = (host: string, port: number) =>
  `https://${host.includes(":") ? `[${host}]` : host}:${port}`;

export async function startVmApi(options: VmApiOptions) {
  const { client, host, log, outside, port: kept } = options;
  const frontProxy = await frontProxyOf(client);
  if (!frontProxy) {
    const why = "its API server has no front proxy (--requestheader-client-ca-file)";
    return log.warn("virtual machines have no subresources in this cluster", { why });
  }
  const { ca, ...tls } = options.makeServing(servedName(api));
  const reviews = reviewsOf(client);
  const tokens = new UploadTokens(randomBytes(32));
  const own = { tls, frontProxy, reviews, tokens, port: kept.read() ?? 0 };
  const { port, outsidePort } = await startApiServer({ ...options, ...own });
  kept.keep(port);
  await publishApi(client, api, { host, port, ca });
  const place = { port, ca };
  await register(client, { kind: "Mutating", webhooks: [mutating] }, place);
  await register(client, { kind: "Validating", webhooks: [validating, evicting] }, place);
  const reached = outside.hosts[0];
  const status = reached
    ? { uploadProxyURL: urlOf(reached, outsidePort), uploadProxyCA: outside.tls().ca }
    : { uploadProxyURL: urlOf(host, port), uploadProxyCA: ca };
  await client.patch({ ...cdiConfigs, name: "config", subresource: "status" }, "merge", { status });
}
