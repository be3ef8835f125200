// While there are bootstrap tokens that may sign, anybody may read `cluster-info` in kube-public: where the API
// server is and its authority, which is what `kubeadm join` and others like it begin with. Without tokens there
// is nothing to read. An object of this name that somebody else made is left alone.
// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
import type { Target } from "../client/client.ts";
import { resource } from "../client/client.ts";
import type { Draft, KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import { signaturesOf } from "./bootstrap-signer.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const configMaps = resource("v1", "configmaps");
const secrets = resource("v1", "secrets");
const slices = resource("discovery.k8s.io/v1", "endpointslices");
const rbac = "rbac.authorization.k8s.io";
const roles = resource(`${rbac}/v1`, "roles");
const bindings = resource(`${rbac}/v1`, "rolebindings");

const namespace = "kube-public";
const name = "cluster-info";
/** As kubeadm names it. */
const roleName = "kubeadm:bootstrap-signer-clusterinfo";
const key = `${namespace}/${name}`;
const labels = { "app.kubernetes.io/managed-by": "kerb" };

const isOurs = ({ metadata }: KubeObject) =>
  metadata.labels?.["app.kubernetes.io/managed-by"] === "kerb";

/** A kubeconfig of nobody. Pure. */
export function publicKubeconfig(server: string, ca: string): string {
  return `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${Buffer.from(ca).toString("base64")}
    server: ${server}
  name: ""
contexts: null
current-context: ""
kind: Config
preferences: {}
users: null
`;
}

/** Where the API server is, as the Service `kubernetes` has it. */
function serverOf({ informer }: ControllerContext): string | undefined {
  for (const slice of informer(slices).list("default")) {
    const address: string | undefined = slice["endpoints"]?.[0]?.addresses?.[0];
    const port: number | undefined = slice["ports"]?.[0]?.port;
    if (!address || !port) continue;
    return `https://${address.includes(":") ? `[${address}]` : address}:${port}`;
  }
  return undefined;
}

const roleRef = { apiGroup: rbac, kind: "Role", name: roleName };
const grants: [target: Target, draft: Draft][] = [
  [
    { ...roles, namespace },
    {
      apiVersion: `${rbac}/v1`,
      kind: "Role",
      metadata: { name: roleName, labels },
      rules: [
        { apiGroups: [""], resources: ["configmaps"], resourceNames: [name], verbs: ["get"] },
      ],
    },
  ],
  [
    { ...bindings, namespace },
    {
      apiVersion: `${rbac}/v1`,
      kind: "RoleBinding",
      metadata: { name: roleName, labels },
      roleRef,
      subjects: [{ apiGroup: rbac, kind: "User", name: "system:anonymous" }],
    },
  ],
];

const orStatus =
  (...reasons: Parameters<typeof isStatus>[1][]) =>
  (error: unknown) => {
    if (!isStatus(error, ...reasons)) throw error;
  };

async function remove({ client }: ControllerContext) {
  const targets = [
    { ...bindings, namespace, name: roleName },
    { ...roles, namespace, name: roleName },
    { ...configMaps, namespace, name },
  ];
  for (const target of targets) await client.delete(target).catch(orStatus("NotFound"));
}

async function reconcile(context: ControllerContext, ca: string) {
  const { client, clock, informer } = context;
  const tokens = informer(secrets)
    .list()
    .filter(({ metadata }) => metadata.namespace === "kube-system");
  const isSigned = Object.keys(signaturesOf("", tokens, clock.now())).length > 0;
  const info = informer(configMaps).get(name, namespace);
  if (info && !isOurs(info)) return;
  if (!isSigned) return info && remove(context);
  const server = serverOf(context);
  if (!server) return;
  const data = { kubeconfig: publicKubeconfig(server, ca) };
  const target = { ...configMaps, namespace };
  if (!info) {
    const metadata = { name, labels };
    await client
      .create(target, { apiVersion: "v1", kind: "ConfigMap", metadata, data })
      .catch(orStatus("AlreadyExists"));
  } else if (info["data"]?.kubeconfig !== data.kubeconfig) {
    await client.patch({ ...target, name }, "merge", { data });
  }
  for (const [at, draft] of grants) {
    await client.create(at, draft).catch(orStatus("AlreadyExists"));
  }
}

/** `ca` gives the certificate of now, as PEM. */
export const clusterInfo = (ca: () => string): Controller => ({
  name: "cluster-info",
  inputs: [
    {
      resource: configMaps,
      fieldSelector: `metadata.name=${name}`,
      keys: ({ metadata }) => (metadata.namespace === namespace ? [key] : []),
    },
    {
      resource: secrets,
      fieldSelector: "type=bootstrap.kubernetes.io/token",
      keys: () => [key],
    },
    {
      resource: slices,
      labelSelector: "kubernetes.io/service-name=kubernetes",
      keys: ({ metadata }) => (metadata.namespace === "default" ? [key] : []),
    },
  ],
  outputs: [configMaps, roles, bindings],
  async reconcile(_, context) {
    await reconcile(context, ca());
  },
});
