// A site does its works: a hub's API server and a site's in this process, with the site's controllers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "../../../test/support/eventually.ts";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { ensureDefinitions } from "../../client/definitions.ts";
import { Informers } from "../../client/informers.ts";
import { parseKubeconfig } from "../../client/kubeconfig.ts";
import { startControllers } from "../../controllers/runtime.ts";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/log.ts";
import { systemRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { openRemoteCluster } from "../../main/remote-cluster.ts";
import { startServer } from "../../main/test-server.ts";
import { loadObjectRules } from "../../server/cel/object-rules.ts";
import {
  appliedManifestWorks,
  hubDefinitions,
  manifestWorks,
  memberDefinitions,
} from "../kinds/resources.ts";
import { timeToLive } from "./time-to-live.ts";
import { workController } from "./work-controller.ts";

const world = { clock: systemClock, random: systemRandom, log: silent };
const configMaps = { ...resource("v1", "configmaps"), namespace: "default" };
const deployments = { ...resource("apps/v1", "deployments"), namespace: "default" };
const namespaces = resource("v1", "namespaces");
const scope = new Scope();
let hub: Client;
let site: Client;

before(async () => {
  const [hubServer, siteServer] = await Promise.all([
    startServer({ listen: false }),
    startServer({ controllers: true }),
  ]);
  scope.defer(() => hubServer.close());
  scope.defer(() => siteServer.close());
  hub = hubServer.client();
  site = siteServer.client();
  const cluster = openRemoteCluster(parseKubeconfig(siteServer.kubeconfig), { ...world, scope });
  await ensureDefinitions(hub, systemClock, hubDefinitions);
  await ensureDefinitions(site, systemClock, memberDefinitions);
  await hub.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "farm" } });
  const informers = new Informers({ client: hub, ...world, scope });
  const options = { client: hub, informers, discover: cluster.discover, ...world, scope };
  const works = workController({
    ...{ client: site, discover: cluster.discover, cluster: "farm" },
    ...{ hubUrl: "https://hub", agentId: "a1", loadRules: loadObjectRules },
    records: () => [],
  });
  await startControllers([works, timeToLive], options);
});
after(() => scope.close());

const configMap = (name: string, data: Record<string, string> = {}) => ({
  ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data },
});
const target = (name: string) => ({ ...manifestWorks, namespace: "farm", name });

function give(name: string, manifests: object[], more: object = {}) {
  const apiVersion = "work.open-cluster-management.io/v1";
  const spec = { workload: { manifests }, ...more };
  return hub.create(
    { ...manifestWorks, namespace: "farm" },
    { apiVersion, kind: "ManifestWork", metadata: { name }, spec },
  );
}

/** The condition of the work, or of its manifest, once `holds` says so. */
const condition = (name: string, type: string, holds: (one: any) => boolean, ordinal?: number) =>
  eventually(async () => {
    const { metadata, status } = await hub.get(target(name));
    const from = ordinal === undefined ? status : status?.resourceStatus?.manifests?.[ordinal];
    const found = from?.conditions?.find((one: any) => one.type === type);
    return found?.observedGeneration === metadata.generation && holds(found) && found;
  }, `${type} of ${name}`);
const isTrue = ({ status }: any) => status === "True";
const isFalse = ({ status }: any) => status === "False";
const gone = (at: object) =>
  eventually(async () => !(await site.get(at as any).catch(() => undefined)), "its end");

async function remove(name: string) {
  await hub.delete(target(name));
  await eventually(async () => !(await hub.get(target(name)).catch(() => undefined)), "its end");
}

const config = (resourceName: string, name: string, more: object) => ({
  manifestConfigs: [
    {
      resourceIdentifier: {
        group: resourceName === "deployments" ? "apps" : resourceName === "jobs" ? "batch" : "",
        ...{ resource: resourceName, namespace: "default", name },
      },
      ...more,
    },
  ],
});

test("what a work makes goes with it, but for what it orphans", async () => {
  const rule = { group: "", resource: "configmaps", namespace: "default", name: "stays" };
  const deleteOption = {
    propagationPolicy: "SelectivelyOrphan",
    selectivelyOrphans: { orphaningRules: [rule] },
  };
  await give("leaves", [configMap("stays"), configMap("goes")], { deleteOption });
  await condition("leaves", "Applied", isTrue);
  await remove("leaves");
  await gone({ ...configMaps, name: "goes" });
  const { metadata } = await site.get({ ...configMaps, name: "stays" });
  assert.equal(metadata.ownerReferences, undefined);
});

test("a work that orphans all leaves all", async () => {
  await give("orphans", [configMap("free")], { deleteOption: { propagationPolicy: "Orphan" } });
  await condition("orphans", "Applied", isTrue);
  await remove("orphans");
  await site.get({ ...configMaps, name: "free" });
  assert.deepEqual((await site.list(appliedManifestWorks)).items, []);
});

test("each strategy writes as much as it says", async () => {
  const drift = { data: { colour: "green", own: "1" } };
  const colours: Record<string, string> = {};
  for (const type of ["Update", "CreateOnly", "ServerSideApply", "ReadOnly"]) {
    const name = type.toLowerCase();
    await site.create(configMaps, configMap(name, { colour: "grey" }));
    const strategy = {
      type,
      ...(type === "ServerSideApply" && { serverSideApply: { force: true } }),
    };
    await give(
      name,
      [configMap(name, { colour: "red" })],
      config("configmaps", name, { updateStrategy: strategy }),
    );
    await condition(name, "Applied", isTrue);
    await site.patch({ ...configMaps, name }, "merge", drift);
  }
  const read = async (name: string) => (await site.get<any>({ ...configMaps, name })).data;
  await eventually(async () => (await read("update")).colour === "red", "drift put right");
  await eventually(async () => (await read("serversideapply")).colour === "red", "drift put right");
  for (const name of ["createonly", "readonly"]) colours[name] = (await read(name)).colour;
  assert.deepEqual(colours, { createonly: "green", readonly: "green" });
  assert.equal((await read("serversideapply")).own, "1");
});

test("a field that is ignored is the site's, also when the hub changes another", async () => {
  const deployment = (replicas: number, image: string) => ({
    ...{
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", namespace: "default" },
    },
    spec: {
      replicas,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "web", image }] },
      },
    },
  });
  const ignoreFields = [{ condition: "OnSpokePresent", jsonPaths: [".spec.replicas"] }];
  const updateStrategy = {
    type: "ServerSideApply",
    serverSideApply: { force: true, ignoreFields },
  };
  const spec = config("deployments", "web", { updateStrategy });
  await give("scaled", [deployment(1, "a")], spec);
  await condition("scaled", "Applied", isTrue);
  await site.patch({ ...deployments, name: "web" }, "merge", { spec: { replicas: 5 } });
  const workload = { manifests: [deployment(2, "b")] };
  await hub.patch(target("scaled"), "merge", { spec: { workload } });
  const read = async () => (await site.get<any>({ ...deployments, name: "web" })).spec;
  await eventually(
    async () => (await read()).template.spec.containers[0].image === "b",
    "the image",
  );
  assert.equal((await read()).replicas, 5);
});

test("jq expressions are refused by name", async () => {
  const ignoreFields = [{ condition: "OnSpokePresent", jqPathExpressions: [".data"] }];
  const updateStrategy = { type: "ServerSideApply", serverSideApply: { ignoreFields } };
  await give("jq", [configMap("jq")], config("configmaps", "jq", { updateStrategy }));
  const { reason, message } = await condition("jq", "Applied", isFalse, 0);
  assert.equal(reason, "AppliedManifestSSAIgnoreFieldError");
  assert.match(message, /jqPathExpressions/);
});

test("an executor does what it may, and what it may not is refused by name", async () => {
  const serviceAccount = { namespace: "default", name: "worker" };
  const executor = { subject: { type: "ServiceAccount", serviceAccount } };
  await give("executed", [configMap("executed")], { executor });
  const { message } = await condition("executed", "Applied", isFalse, 0);
  assert.match(message, /system:serviceaccount:default:worker may not get it/);
  const rbac = "rbac.authorization.k8s.io";
  await site.create(resource(`${rbac}/v1`, "clusterrolebindings"), {
    ...{ apiVersion: `${rbac}/v1`, kind: "ClusterRoleBinding", metadata: { name: "worker" } },
    roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "edit" },
    subjects: [{ kind: "ServiceAccount", ...serviceAccount }],
  });
  await condition("executed", "Applied", isTrue);
});

test("a complete work is left alone, and goes after its time", async () => {
  const rule = {
    type: "CEL",
    condition: "Complete",
    celExpressions: ["object.data.done == 'yes'"],
  };
  const more = config("configmaps", "task", { conditionRules: [rule] });
  await give("task", [configMap("task", { done: "no" })], more);
  const { reason } = await condition("task", "Complete", isFalse);
  assert.equal(reason, "ManifestsNotComplete");
  await hub.patch(target("task"), "merge", {
    spec: { workload: { manifests: [configMap("task", { done: "yes" })] } },
  });
  await condition("task", "Complete", isTrue);
  await site.delete({ ...configMaps, name: "task" });
  await condition("task", "Available", isFalse);
  await condition("task", "Complete", isTrue);
  const deleteOption = { ttlSecondsAfterFinished: 0 };
  await hub.patch(target("task"), "merge", { spec: { deleteOption } });
  await eventually(async () => !(await hub.get(target("task")).catch(() => undefined)), "its end");
});

test("no work takes away what the agent stands on", async () => {
  const namespace = "open-cluster-management-agent";
  const secret = (name: string) => ({
    ...{ apiVersion: "v1", kind: "Secret", metadata: { name, namespace } },
  });
  const own = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
  const applied = {
    apiVersion: "work.open-cluster-management.io/v1",
    ...{ kind: "AppliedManifestWork", metadata: { name: "mine" }, spec: {} },
  };
  const definition = memberDefinitions[0]!;
  const bootstrap = secret("bootstrap-hub-kubeconfig");
  await give("suicide", [own, bootstrap, secret("hub-kubeconfig-secret"), applied, definition]);
  for (const ordinal of [2, 3, 4]) {
    const { message } = await condition("suicide", "Applied", isFalse, ordinal);
    assert.match(message, /the agent's own/);
  }
  await condition("suicide", "Applied", isTrue, 1);
  await remove("suicide");
  await site.get({ ...resource("v1", "secrets"), namespace, name: bootstrap.metadata.name });
  const { metadata } = await site.get({ ...namespaces, name: namespace });
  assert.equal(metadata.deletionTimestamp, undefined);
});
