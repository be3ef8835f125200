import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Cluster } from "../../test/support/cluster.ts";
import { startControlled } from "../../test/support/controllers.ts";
import { startKubelet } from "../../test/support/kubelet.ts";
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { deploymentController } from "./deployment.ts";
import { conditionOf } from "./pod-state.ts";
import { replicaSetController, replicaSets } from "./replica-set.ts";

const deployments = resource("apps/v1", "deployments");
const pods = resource("v1", "pods");
const namespace = "default";

let cluster: Cluster;
let lookAgain: () => void;
let broken: string | undefined;
let lingering: string | undefined;

const imageOf = (object: KubeObject): string =>
  (object.spec.template?.spec ?? object.spec).containers[0].image;

beforeEach(async () => {
  broken = lingering = undefined;
  cluster = await startControlled([deploymentController, replicaSetController]);
  lookAgain = startKubelet(cluster, {
    healthy: (pod) => imageOf(pod) !== broken,
    lingers: (pod) => imageOf(pod) === lingering,
  });
});
afterEach(() => cluster.scope.close());

const template = (image: string) => ({
  metadata: { labels: { app: "web" } },
  spec: { nodeName: "node", containers: [{ name: "web", image }] },
});

const create = (spec: object) =>
  cluster.client.create(
    { ...deployments, namespace },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web" },
      spec: { selector: { matchLabels: { app: "web" } }, template: template("v1"), ...spec },
    },
  );
const patch = (change: object) =>
  cluster.client.patch({ ...deployments, namespace, name: "web" }, "merge", change);
const setImage = (image: string) => patch({ spec: { template: template(image) } });

/** The rule of `kubectl rollout status`. */
const rolledOut = ({ metadata, spec, status }: KubeObject) =>
  status?.observedGeneration >= metadata.generation! &&
  status.updatedReplicas === spec.replicas &&
  status.replicas === spec.replicas &&
  status.availableReplicas === spec.replicas;

const until = (holds: (deployment: KubeObject) => boolean) =>
  cluster.until(deployments, ([web]) => web && holds(web) && web);
const complete = (image: string) =>
  until(
    (web) =>
      imageOf(web) === image &&
      rolledOut(web) &&
      conditionOf(web, "Progressing")?.reason === "NewReplicaSetAvailable",
  );
const setsNow = async () =>
  (await cluster.client.list({ ...replicaSets, namespace })).items
    .map((set) => ({
      image: imageOf(set),
      replicas: set.spec.replicas,
      revision: set.metadata.annotations?.["deployment.kubernetes.io/revision"],
    }))
    .sort((a, b) => Number(a.revision) - Number(b.revision));
const podsNow = async () => (await cluster.client.list({ ...pods, namespace })).items;

test("a Deployment makes its pods through one ReplicaSet, and says when they are available", async () => {
  await create({ replicas: 3 });
  const web = await complete("v1");
  assert.equal((await podsNow()).length, 3);
  assert.deepEqual(await setsNow(), [{ image: "v1", replicas: 3, revision: "1" }]);
  assert.equal(web.metadata.annotations?.["deployment.kubernetes.io/revision"], "1");
  const available = conditionOf(web, "Available");
  assert.equal(available?.status, "True");
  assert.equal(available?.reason, "MinimumReplicasAvailable");
  const [set] = (await cluster.client.list({ ...replicaSets, namespace })).items;
  assert.equal(
    conditionOf(web, "Progressing")?.message,
    `ReplicaSet "${set!.metadata.name}" has successfully progressed.`,
  );
  const hash = set!.metadata.labels!["pod-template-hash"];
  for (const { metadata } of await podsNow()) {
    assert.equal(metadata.labels!["pod-template-hash"], hash);
  }
});

test("a new template rolls out within maxSurge and maxUnavailable, and undo brings the old set back", async () => {
  await create({
    replicas: 4,
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
  });
  await complete("v1");
  let most = 0;
  let fewest = Infinity;
  const count = () => {
    const live = cluster.informer(pods).list(namespace);
    most = Math.max(most, live.filter(({ metadata }) => !metadata.deletionTimestamp).length);
    const ready = live.filter((pod) => conditionOf(pod, "Ready")?.status === "True");
    fewest = Math.min(fewest, ready.length);
  };
  const stop = cluster.informer(pods).subscribe({ onUpdate: count, onDelete: count });
  await setImage("v2");
  await complete("v2");
  stop();
  assert.ok(most <= 5, `${most} pods at once`);
  assert.ok(fewest >= 3, `only ${fewest} ready pods`);
  assert.deepEqual(await setsNow(), [
    { image: "v1", replicas: 0, revision: "1" },
    { image: "v2", replicas: 4, revision: "2" },
  ]);
  await setImage("v1");
  await complete("v1");
  assert.deepEqual(await setsNow(), [
    { image: "v2", replicas: 0, revision: "2" },
    { image: "v1", replicas: 4, revision: "3" },
  ]);
});

test("Recreate starts no new pod before the last old one is gone", async () => {
  await create({ replicas: 2, strategy: { type: "Recreate" } });
  await complete("v1");
  lingering = "v1";
  await setImage("v2");
  await cluster.until(pods, (all) => all.every((p) => p.metadata.deletionTimestamp) || undefined);
  assert.deepEqual((await podsNow()).map(imageOf), ["v1", "v1"]);
  lingering = undefined;
  lookAgain();
  await complete("v2");
  assert.deepEqual((await podsNow()).map(imageOf), ["v2", "v2"]);
  lingering = "v2";
  await setImage("v1");
  await cluster.until(pods, (all) => all.every((p) => p.metadata.deletionTimestamp) || undefined);
  await until(({ metadata, status }) => status.observedGeneration === metadata.generation);
  assert.deepEqual((await podsNow()).map(imageOf), ["v2", "v2"]);
  lingering = undefined;
  lookAgain();
  await complete("v1");
});

test("a paused Deployment scales but does not roll; resumed, it goes on", async () => {
  await create({ replicas: 1 });
  await complete("v1");
  await patch({ spec: { paused: true } });
  await until((web) => conditionOf(web, "Progressing")?.reason === "DeploymentPaused");
  await setImage("v2");
  await patch({ spec: { replicas: 3 } });
  await until(({ status }) => status.availableReplicas === 3);
  assert.deepEqual((await podsNow()).map(imageOf), ["v1", "v1", "v1"]);
  await patch({ spec: { paused: null } });
  await complete("v2");
});

test("scaled in the middle of a rollout that is stuck, the sets keep their proportions", async () => {
  await create({
    replicas: 10,
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
  });
  await complete("v1");
  broken = "v2";
  await setImage("v2");
  const stuck = (old: number, fresh: number) =>
    cluster.until(replicaSets, (sets) => {
      const size = (image: string) => sets.find((s) => imageOf(s) === image)?.spec.replicas;
      return (size("v1") === old && size("v2") === fresh) || undefined;
    });
  await stuck(8, 5);
  await patch({ spec: { replicas: 15 } });
  await stuck(11, 7);
  broken = undefined;
  lookAgain();
  await complete("v2");
});

test("to nothing and back", async () => {
  await create({ replicas: 2 });
  await complete("v1");
  await patch({ spec: { replicas: 0 } });
  await until((web) => rolledOut(web));
  await cluster.until(pods, (all) => all.length === 0 || undefined);
  await patch({ spec: { replicas: 2 } });
  await complete("v1");
});

test("old sets are kept up to revisionHistoryLimit", async () => {
  await create({ replicas: 1, revisionHistoryLimit: 1 });
  for (const image of ["v1", "v2", "v3", "v4"]) {
    await setImage(image);
    await complete(image);
  }
  await cluster.until(replicaSets, (all) => all.length === 2 || undefined);
  assert.deepEqual(await setsNow(), [
    { image: "v3", replicas: 0, revision: "3" },
    { image: "v4", replicas: 1, revision: "4" },
  ]);
});

test("pods that were there are adopted, and one that no longer matches is released and replaced", async () => {
  await create({ replicas: 2 });
  await complete("v1");
  const [first] = await podsNow();
  const { name } = first!.metadata;
  await cluster.client.patch({ ...pods, namespace, name }, "merge", {
    metadata: { labels: { app: "debug" } },
  });
  await cluster.until(pods, (all) => all.length === 3 || undefined);
  const released = await cluster.client.get({ ...pods, namespace, name });
  assert.deepEqual(released.metadata.ownerReferences ?? [], []);
  await cluster.client.patch({ ...pods, namespace, name }, "merge", {
    metadata: { labels: { app: "web" } },
  });
  await cluster.until(pods, (all) => all.length === 2 || undefined);
  await complete("v1");
});

test("revisions count on from one that needs all 64 bits", async () => {
  await create({ replicas: 1 });
  await complete("v1");
  const [set] = (await cluster.client.list({ ...replicaSets, namespace })).items;
  await cluster.client.patch({ ...replicaSets, namespace, name: set!.metadata.name }, "merge", {
    metadata: { annotations: { "deployment.kubernetes.io/revision": "3546343826724305832" } },
  });
  await setImage("v2");
  await complete("v2");
  const revisions = (await setsNow()).map(({ revision }) => revision);
  assert.ok(revisions.includes("3546343826724305833"));
});
