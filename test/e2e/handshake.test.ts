// How an agent of Open Cluster Management comes to a hub, as client-go said it once against a hub (streaming lists,
// server-side names, merge patches with uid and resourceVersion): said again, word for word, to this one. The
// invitation is made as clusteradm makes it, and a person at the hub does what `clusteradm accept` does.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { resource } from "../../src/client/client.ts";
import { httpsClient } from "../../src/client/https.ts";
import { managedClusters, manifestWorks } from "../../src/hub/kinds/resources.ts";
import { agentUser, clusterGroup, managedClustersGroup } from "../../src/hub/names.ts";
import type { StatusError } from "../../src/lib/status-error.ts";
import { silent } from "../../src/lib/log.ts";
import { makeRequest } from "../../src/main/wings/member.ts";
import { startWings } from "../../src/main/commands/run.ts";
import type { Running } from "../../src/main/commands/run.ts";
import { startServer } from "../../src/main/test-server.ts";
import type { TestServer } from "../../src/main/test-server.ts";
import { eventually } from "../support/eventually.ts";

interface Line {
  as: "bootstrap" | "agent";
  method: string;
  path: string;
  type?: string;
  body?: object;
  code: number;
}

const cluster = "barn";
const lines: Line[] = JSON.parse(
  readFileSync(join(import.meta.dirname, "data/handshake.json"), "utf8"),
);
const token = "abcdef.0123456789abcdef";
const rbac = resource("rbac.authorization.k8s.io/v1", "clusterroles");
const requests = resource("certificates.k8s.io/v1", "certificatesigningrequests");

let folder: string;
let hub: TestServer;
let running: Running;
let identity: object = { authorization: `Bearer ${token}` };

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "kerb-handshake-"));
  hub = await startServer({ controllers: true });
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, hub.kubeconfig, { mode: 0o600 });
  await new Promise<void>((resolve, reject) => {
    startWings({ kubeconfig, wings: ["hub"] }, { log: silent, started: () => resolve() }).then(
      (started) => (running = started),
      reject,
    );
  });
  await invite();
});
after(async () => {
  await running?.stop();
  await hub?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A bootstrap token, and what its group may do. */
async function invite() {
  const client = hub.client();
  const name = "open-cluster-management:bootstrap";
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const rule = (group: string, plural: string, verbs: string[]) => ({
    ...{ apiGroups: [group], resources: [plural], verbs },
  });
  await client.create(rbac, {
    ...{ apiVersion, kind: "ClusterRole", metadata: { name } },
    rules: [
      rule("certificates.k8s.io", "certificatesigningrequests", ["create", "get", "list", "watch"]),
      rule("cluster.open-cluster-management.io", "managedclusters", ["get", "create", "update"]),
    ],
  });
  await client.create(resource(apiVersion, "clusterrolebindings"), {
    ...{ apiVersion, kind: "ClusterRoleBinding", metadata: { name } },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ kind: "Group", name: "system:bootstrappers:managedcluster" }],
  } as any);
  await client.create({ ...resource("v1", "secrets"), namespace: "kube-system" }, {
    ...{ apiVersion: "v1", kind: "Secret", metadata: { name: "bootstrap-token-abcdef" } },
    type: "bootstrap.kubernetes.io/token",
    stringData: {
      "token-id": "abcdef",
      "token-secret": "0123456789abcdef",
      "usage-bootstrap-authentication": "true",
      "auth-extra-groups": "system:bootstrappers:managedcluster",
    },
  } as any);
}

/** As `clusteradm accept` does. */
async function accept(name: string) {
  const client = hub.client();
  const conditions = [{ type: "Approved", status: "True", reason: "ByClusteradm" }];
  const approval = { ...requests, name, subresource: "approval" };
  await client.patch(approval, "merge", { status: { conditions } });
  await client.patch({ ...managedClusters, name: cluster }, "merge", {
    spec: { hubAcceptsClient: true },
  });
  const manifest = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "paint" } };
  const work = {
    ...{ apiVersion: "work.open-cluster-management.io/v1", kind: "ManifestWork" },
    ...{ metadata: { name: "paint" }, spec: { workload: { manifests: [manifest] } } },
  };
  await eventually(
    () => client.create({ ...manifestWorks, namespace: cluster }, work),
    "the site's namespace",
  );
}

/** Says one line; a watch is read until its first list is complete. */
async function say(line: Line, identity: object, filled: (text: string) => string) {
  const { server, ca } = hub.config!;
  const { method, type, body } = line;
  const { authorization, ...tls } = identity as { authorization?: string };
  const headers = {
    ...(authorization && { authorization }),
    ...(type && { "content-type": type }),
  };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request(`${server}${filled(line.path)}`, {
      ...tls,
      ca,
      method,
      headers,
      agent: false,
    });
    asked.once("response", resolve).once("error", reject);
    asked.end(body && filled(JSON.stringify(body)));
  });
  if (!line.path.includes("watch=true") || answer.statusCode !== 200) {
    return { code: answer.statusCode, object: JSON.parse(await text(answer)) };
  }
  let seen = "";
  for await (const chunk of answer.setEncoding("utf8")) {
    seen += chunk;
    if (seen.includes('"k8s.io/initial-events-end":"true"')) break;
  }
  answer.destroy();
  return { code: 200, object: undefined };
}

test("an agent's whole handshake is answered as it was before", async () => {
  const user = agentUser(cluster, "agent1");
  const organizations = [clusterGroup(cluster), managedClustersGroup];
  const known: Record<string, string> = {};
  const filled = (from: string) =>
    Object.entries(known).reduce(
      (whole, [name, value]) => whole.replaceAll(`$${name}`, value),
      from,
    );
  let asked = "";
  for (const line of lines) {
    const isRequest = line.method === "POST" && line.path.endsWith("certificatesigningrequests");
    const made = makeRequest({ commonName: user, organizations });
    known["csr"] = Buffer.from(made.request).toString("base64");
    if (line.as === "agent" && "authorization" in identity) {
      const { status } = await hub.client().get({ ...requests, name: asked });
      const cert = Buffer.from(status.certificate, "base64").toString();
      identity = { cert, key: known["key"] };
    }
    const { code, object } = await said(line, identity, filled);
    assert.equal(code, line.code, `${line.method} ${line.path}: ${JSON.stringify(object)}`);
    if (isRequest) {
      known["request"] = asked = object.metadata.name;
      if (line.as === "bootstrap") {
        known["key"] = made.key;
        await accept(asked);
        await eventually(
          async () => (await hub.client().get({ ...requests, name: asked })).status?.certificate,
          "the certificate",
        );
      }
    }
    for (const field of ["uid", "resourceVersion"]) {
      const value = object?.metadata?.[field];
      if (value) known[field] = value;
    }
  }
  const renewed = await eventually(
    async () => (await hub.client().get({ ...requests, name: asked })).status?.certificate,
    "the renewed certificate",
  );
  assert.ok(renewed);
  const { status } = await hub.client().get({ ...managedClusters, name: cluster });
  const state = (type: string) => status.conditions.find((one: any) => one.type === type)?.status;
  for (const type of ["HubAcceptedManagedCluster", "ManagedClusterJoined", available]) {
    assert.equal(state(type), "True", type);
  }
});

const available = "ManagedClusterConditionAvailable";

/** Rights are given a moment after the site is accepted, and works are read before they are changed. */
async function said(line: Line, identity: object, filled: (text: string) => string) {
  const isChange = line.method === "PATCH" && line.path.includes("manifestworks/paint");
  if (isChange) {
    const { metadata } = await hub
      .client()
      .get({ ...manifestWorks, namespace: cluster, name: "paint" });
    const { uid, resourceVersion } = metadata;
    const before = filled;
    filled = (from) =>
      before(from.replaceAll("$uid", uid!).replaceAll("$resourceVersion", resourceVersion!));
  }
  let last = await say(line, identity, filled);
  for (let tries = 0; last.code === 403 && line.code !== 403 && tries < 600; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    last = await say(line, identity, filled);
  }
  return last;
}

const itself = `/apis/cluster.open-cluster-management.io/v1/managedclusters/${cluster}`;
const telling = (status: object): Line => ({
  ...{ as: "agent", method: "PATCH", path: `${itself}/status`, code: 200 },
  ...{ type: "application/merge-patch+json", body: { status } },
});

const asItIs = (from: string) => from;

/** `verb group/resource/subresource namespace/name`, as those who install agents ask before they call a hub connected. */
const rights = {
  bootstrap: [
    "create,get cluster.open-cluster-management.io/managedclusters",
    "create,get,list,watch certificates.k8s.io/certificatesigningrequests",
  ],
  agent: [
    "get,list,watch certificates.k8s.io/certificatesigningrequests",
    `get,list,update,watch cluster.open-cluster-management.io/managedclusters /${cluster}`,
    `patch,update cluster.open-cluster-management.io/managedclusters/status /${cluster}`,
    "renew register.open-cluster-management.io/managedclusters/clientcertificates",
    `get,update coordination.k8s.io/leases ${cluster}/managed-cluster-lease`,
    `create,patch,update /events ${cluster}/`,
    `create,patch,update,list,watch events.k8s.io/events ${cluster}/`,
    `get,list,watch,update work.open-cluster-management.io/manifestworks ${cluster}/`,
    `patch,update work.open-cluster-management.io/manifestworks/status ${cluster}/`,
    `get,list,watch addon.open-cluster-management.io/managedclusteraddons ${cluster}/`,
    `patch,update addon.open-cluster-management.io/managedclusteraddons/status ${cluster}/`,
  ],
  nobody: [
    "get,list cluster.open-cluster-management.io/managedclusters",
    "update register.open-cluster-management.io/managedclusters/accept",
    "approve certificates.k8s.io/signers",
    `get,list,create /secrets ${cluster}/`,
    "list,update work.open-cluster-management.io/manifestworks shop/",
    "get coordination.k8s.io/leases shop/managed-cluster-lease",
    `create work.open-cluster-management.io/manifestworks ${cluster}/`,
  ],
};

/** Each of the rights, and whether the holder of `identity` has it. */
async function reviewed(identity: object, asked: string[]) {
  const answers: [right: string, allowed: boolean][] = [];
  for (const line of asked) {
    const [verbs, what, where = ""] = line.split(" ");
    const [group, plural, subresource] = what!.split("/");
    const [namespace, name] = where.split("/");
    for (const verb of verbs!.split(",")) {
      const resourceAttributes = { group, verb, resource: plural, subresource, namespace, name };
      const review: Line = {
        ...{ as: "agent", method: "POST", type: "application/json", code: 201 },
        path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        body: {
          ...{ apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview" },
          spec: { resourceAttributes },
        },
      };
      const { object } = await say(review, identity, asItIs);
      answers.push([`${verb} ${what} ${where}`, object.status?.allowed]);
    }
  }
  return answers;
}

test("a site may all that its agents' installers ask for, and nothing of its hub or of others", async () => {
  const having = (answers: [string, boolean][], allowed: boolean) =>
    answers.filter(([, one]) => one === allowed).map(([right]) => right);
  const invited = await reviewed({ authorization: `Bearer ${token}` }, rights.bootstrap);
  assert.deepEqual(having(invited, false), []);
  assert.deepEqual(having(await reviewed(identity, rights.agent), false), []);
  assert.deepEqual(having(await reviewed(identity, rights.nobody), true), []);
});

test("an add-on is kept for agents that look for it, and told that nobody here installs it", async () => {
  const client = hub.client();
  const addOns = resource("addon.open-cluster-management.io/v1alpha1", "managedclusteraddons");
  await client.create({ ...addOns, namespace: cluster }, {
    apiVersion: "addon.open-cluster-management.io/v1alpha1",
    ...{ kind: "ManagedClusterAddOn", metadata: { name: "proxy" }, spec: {} },
  } as any);
  const told = await eventually(async () => {
    const { status } = await client.get({ ...addOns, namespace: cluster, name: "proxy" });
    return status?.conditions?.find((one: any) => one.reason === "NoAddOnManager");
  }, "what the hub says of it");
  assert.match(told.message, /installs no add-ons/);
});

test("a status of ten megabytes is refused for its size, and the one before stands", async () => {
  const kubernetes = "v".repeat(10 * 2 ** 20);
  const { code, object } = await say(telling({ version: { kubernetes } }), identity, asItIs);
  assert.equal(code, 413);
  assert.equal(object.reason, "RequestEntityTooLarge");
  const { status } = await hub.client().get({ ...managedClusters, name: cluster });
  assert.equal(status.version.kubernetes, "v1.34.1");
});

test("a site that floods the hub waits for itself: others are answered meanwhile", async () => {
  const { server, ca } = hub.config!;
  const target = { ...managedClusters, name: cluster };
  const others = httpsClient({ server, ca, token: () => token });
  const site = httpsClient({ server, ca, ...identity });
  try {
    await Promise.all([others.get(target), site.get(target)]);
    let open = 0;
    const flood = Array.from({ length: 500 }, async (_, i) => {
      open++;
      const status = { capacity: { cpu: String(i) } };
      const failed = await site
        .patch({ ...target, subresource: "status" }, "merge", { status })
        .then(() => undefined)
        .catch((error: StatusError) => error.reason);
      open--;
      return failed;
    });
    await others.get(target);
    assert.ok(open > 250, `${open} of the flood wait`);
    const reasons = new Set<string | undefined>(await Promise.all(flood));
    for (const fine of [undefined, "Conflict", "TooManyRequests"]) reasons.delete(fine);
    assert.deepEqual([...reasons], []);
  } finally {
    others.close();
    site.close();
  }
});

test("a clock that is years off is told as such, and the site counts as alive", async () => {
  const leases = { ...resource("coordination.k8s.io/v1", "leases"), namespace: cluster };
  const target = { ...leases, name: "managed-cluster-lease" };
  const client = hub.client();
  for (const renewTime of ["1999-01-01T00:00:00.000000Z", "2091-01-01T00:00:00.000000Z"]) {
    await client.patch(target, "merge", { spec: { renewTime } });
    const synced = await eventually(async () => {
      const { status } = await client.get({ ...managedClusters, name: cluster });
      const type = "ManagedClusterConditionClockSynced";
      const found = status.conditions.find((one: any) => one.type === type);
      return found?.status === "False" && found;
    }, "what the hub says of the clock");
    assert.match(synced.message, /s apart/);
    const { status, spec } = await client.get({ ...managedClusters, name: cluster });
    assert.equal(status.conditions.find((one: any) => one.type === available).status, "True");
    assert.equal(spec.taints, undefined);
  }
});
