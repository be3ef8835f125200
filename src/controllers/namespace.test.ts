import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Cluster } from "../../test/support/cluster.ts";
import { startControlled } from "../../test/support/controllers.ts";
import { startKubelet } from "../../test/support/kubelet.ts";
import { resource } from "../client/client.ts";
import { deletionOrder, namespaceController, terminationConditions } from "./namespace.ts";
import { conditionOf } from "./pod-state.ts";
import { rootCaController } from "./root-ca.ts";
import { serviceAccountController } from "./service-account.ts";

const namespaces = resource("v1", "namespaces");
const serviceAccounts = resource("v1", "serviceaccounts");
const configMaps = resource("v1", "configmaps");
const pods = resource("v1", "pods");
const place = { namespace: "team" };

let cluster: Cluster;
let held = true;
let lookAgain: () => void;
beforeEach(async () => {
  held = true;
  cluster = await startControlled([
    namespaceController,
    serviceAccountController,
    rootCaController(() => "PEM"),
  ]);
  lookAgain = startKubelet(cluster, { lingers: () => held });
  const draft = { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } };
  await cluster.client.create(namespaces, draft);
  await cluster.until(serviceAccounts, (all) => all.some((o) => o.metadata.namespace === "team"));
});
afterEach(() => cluster.scope.close());

const isThere = (name: string) =>
  cluster.until(configMaps, (all) =>
    all.find((o) => o.metadata.name === name && o.metadata.namespace === "team"),
  );
const untilTeam = (holds: (conditions: (type: string) => string | undefined) => boolean) =>
  cluster.until(namespaces, (all) => {
    const team = all.find(({ metadata }) => metadata.name === "team");
    return team && holds((type) => conditionOf(team, type)?.status) && team;
  });
const untilGone = () =>
  cluster.until(namespaces, (all) => !all.some((o) => o.metadata.name === "team") || undefined);

test("every namespace has its default ServiceAccount and the root certificate, again when deleted", async () => {
  const found = await isThere("kube-root-ca.crt");
  assert.equal(found["data"]["ca.crt"], "PEM");
  const target = { ...configMaps, ...place, name: "kube-root-ca.crt" };
  await cluster.client.patch(target, "merge", { data: { "ca.crt": "forged" } });
  await cluster.until(configMaps, (all) =>
    all.find((o) => o.metadata.uid === found.metadata.uid && o["data"]["ca.crt"] === "PEM"),
  );
  const [account] = (await cluster.client.list({ ...serviceAccounts, ...place })).items;
  await cluster.client.delete({ ...serviceAccounts, ...place, name: "default" });
  await cluster.until(serviceAccounts, (all) =>
    all.some((o) => o.metadata.namespace === "team" && o.metadata.uid !== account!.metadata.uid),
  );
});

test("a namespace that is deleted waits for its pods, then takes the rest along", async () => {
  await cluster.client.create(
    { ...pods, ...place },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "web" },
      spec: { nodeName: "node", containers: [{ name: "web", image: "v1" }] },
    },
  );
  await isThere("kube-root-ca.crt");
  await cluster.client.delete({ ...namespaces, name: "team" });
  const waiting = await untilTeam((status) => status("NamespaceContentRemaining") === "True");
  assert.equal(waiting.status.phase, "Terminating");
  assert.match(
    conditionOf(waiting, "NamespaceContentRemaining")!.message!,
    /pods\.? has 1 resource instances/,
  );
  await isThere("kube-root-ca.crt");
  held = false;
  lookAgain();
  await untilGone();
  const left = await cluster.client.list({ ...configMaps, ...place });
  assert.deepEqual(left.items, []);
});

test("what a finalizer holds is named until it lets go", async () => {
  const metadata = { name: "held", finalizers: ["example.com/hold"] };
  const target = { ...configMaps, ...place };
  await cluster.client.create(target, { apiVersion: "v1", kind: "ConfigMap", metadata });
  await cluster.client.delete({ ...namespaces, name: "team" });
  const waiting = await untilTeam((status) => status("NamespaceFinalizersRemaining") === "True");
  assert.match(
    conditionOf(waiting, "NamespaceFinalizersRemaining")!.message!,
    /example\.com\/hold in 1 resource instances/,
  );
  await cluster.client.patch({ ...target, name: "held" }, "merge", {
    metadata: { finalizers: null },
  });
  await untilGone();
});

test("pods are deleted first, each resource once, and only what can be", () => {
  const of = (group: string, name: string, verbs = ["list", "delete"], namespaced = true) => ({
    group,
    version: "v1",
    resource: name,
    kind: name,
    namespaced,
    verbs,
  });
  const stages = deletionOrder([
    of("", "configmaps"),
    of("", "pods"),
    of("apps", "deployments"),
    { ...of("apps", "deployments"), version: "v1beta1" },
    of("", "nodes", ["list", "delete"], false),
    of("", "bindings", ["create"]),
    of("", "events"),
    of("events.k8s.io", "events"),
  ]);
  assert.deepEqual(
    stages.map((stage) =>
      stage.map(({ group, version, resource: name }) => [group, version, name]),
    ),
    [
      [["", "v1", "pods"]],
      [
        ["", "v1", "configmaps"],
        ["apps", "v1", "deployments"],
        ["", "v1", "events"],
      ],
    ],
  );
});

test("with nothing left every condition is False", () => {
  const nothing = { byResource: new Map(), byFinalizer: new Map(), failures: [] };
  const conditions = terminationConditions(nothing);
  assert.deepEqual([...new Set(conditions.map(({ status }) => status))], ["False"]);
  const failed = terminationConditions({ ...nothing, failures: ["pods: disk full"] });
  assert.deepEqual(
    failed.filter(({ status }) => status === "True").map(({ type }) => type),
    ["NamespaceDeletionContentFailure"],
  );
});
