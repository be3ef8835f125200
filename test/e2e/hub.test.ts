// A hub and its sites, each with its own data: attach, works, what happens while the hub is away, and leaving.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { freePort, kerb, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let hub: Site;
let farm: Site;
let shop: Site;

before(async () => {
  hub = await startSite("--name", "centre", "--hub", "--no-node");
  [farm, shop] = await Promise.all([
    startSite("--name", "farm"),
    startSite("--name", "shop", "--no-node"),
  ]);
  await importBusybox(farm);
});
after(() => Promise.all([hub, farm, shop].map((site) => site?.remove())));

const clusterCondition = (name: string, type: string) => [
  "wait",
  `managedcluster/${name}`,
  `--for=condition=${type}`,
  "--timeout=120s",
];
const available = "ManagedClusterConditionAvailable";

const work = (colour: string, name = "web") => `
apiVersion: work.open-cluster-management.io/v1
kind: ManifestWork
metadata: {name: ${name}, namespace: farm}
spec:
  workload:
    manifests:
    - apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web, namespace: store}
      spec:
        selector: {matchLabels: {app: web}}
        template:
          metadata: {labels: {app: web}}
          spec:
            terminationGracePeriodSeconds: 0
            containers: [{name: web, image: "busybox:kerb", command: [sleep, "3600"]}]
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: store}, data: {colour: ${colour}}}
    - {apiVersion: v1, kind: Namespace, metadata: {name: store}}
  manifestConfigs:
  - resourceIdentifier: {group: apps, resource: deployments, name: web, namespace: store}
    feedbackRules: [{type: WellKnownStatus}]
`;

const settings = (site: Site) => site.get("configmap", "settings", "-n", "store");
const podOf = async (site: Site) =>
  (await site.get("pods", "-n", "store", "-l", "app=web")).items[0];

test("a site attaches with a token of its name, and is a member at once", async () => {
  assert.match(await farm.attach(hub, "farm"), /Attached as farm/);
  await hub.kubectl(clusterCondition("farm", "ManagedClusterJoined"));
  await hub.kubectl(clusterCondition("farm", available));
  // A site says what it is a moment after it joined.
  const { status } = await eventually(async () => {
    const found = await hub.get("managedcluster", "farm");
    return found.status.clusterClaims?.some(({ name }: any) => name === "id.k8s.io") && found;
  }, "its claims");
  const profile = await eventually(async () => {
    const found = await hub.get("clusterprofile", "farm", "-n", "cluster-inventory");
    return found.status?.version?.kubernetes.startsWith("v1.") && found;
  }, "its profile");
  assert.equal(profile.metadata.labels["x-k8s.io/cluster-manager"], "open-cluster-management");
  const node = await farm.get("node", "farm");
  assert.equal(status.allocatable.pods, node.status.allocatable.pods);
});

test("a token without a name introduces a site, which then waits for a person", async () => {
  const [, server, , token] = await hub.attachWords();
  const self = `
apiVersion: cluster.open-cluster-management.io/v1
kind: ManagedCluster
metadata: {name: shop}
spec: {hubAcceptsClient: true}`;
  const loose = ["--server", server!, "--token", token!, "--insecure-skip-tls-verify"];
  const refused = await hub.tryKubectl(
    ["--kubeconfig=/dev/null", ...loose, "create", "--validate=false", "-f", "-"],
    { input: self },
  );
  assert.match(refused.stderr, /managedclusters\/accept/);
  const waiting = shop.attach(hub);
  const label = "open-cluster-management.io/cluster-name=shop";
  const request = await eventually(
    async () => (await hub.get("csr", "-l", label)).items[0]?.metadata.name as string,
    "its request",
  );
  await hub.kubectl(["certificate", "approve", request]);
  assert.match(await waiting, /Attached as shop/);
  const { status } = await hub.get("managedcluster", "shop");
  assert.equal(status?.conditions, undefined);
  const accept = ["--type", "merge", "-p", '{"spec":{"hubAcceptsClient":true}}'];
  await hub.kubectl(["patch", "managedcluster", "shop", ...accept]);
  await hub.kubectl(clusterCondition("shop", available));
  await eventually(async () => {
    const sets = await hub.kubectl(["get", "managedclusterset", "global", "-o", "yaml"]);
    return /2 ManagedClusters selected/.test(sets);
  }, "both in the set");
});

test("every site of a set has the set's namespaces, which stay when the set wants them no more", async () => {
  const want = (...names: string[]) => {
    const managedNamespaces = names.map((name) => ({ name }));
    const body = JSON.stringify({ spec: { managedNamespaces } });
    return hub.kubectl(["patch", "managedclusterset", "default", "--type", "merge", "-p", body]);
  };
  const mark = async (site: Site) => {
    const { metadata } = await site.get("namespace", "tills");
    const ours = ([name]: [string, unknown]) => name.startsWith("clusterset.open-cluster");
    return Object.entries(metadata.labels).find(ours)?.[1];
  };
  await want("tills");
  for (const site of [farm, shop]) {
    await eventually(async () => (await mark(site)) === "true", "the namespace");
  }
  await eventually(async () => {
    const { status } = await hub.get("managedcluster", "farm");
    return status.managedNamespaces[0].conditions[0].status === "True";
  }, "what the site says of it");
  await want();
  await eventually(async () => (await mark(farm)) === "false", "its release");
});

test("a work becomes pods at the site, and its state comes back", async () => {
  await hub.apply(work("red"));
  await hub.kubectl([
    ...["wait", "manifestwork/web", "-n", "farm", "--for=condition=Available"],
    "--timeout=120s",
  ]);
  const ready = await eventually(async () => {
    const { status } = await hub.get("manifestwork", "web", "-n", "farm");
    const values = status.resourceStatus.manifests[0].statusFeedback?.values ?? [];
    return values.find((one: any) => one.name === "ReadyReplicas" && one.fieldValue.integer === 1);
  }, "the feedback");
  assert.equal(ready.fieldValue.type, "Integer");
  assert.equal((await settings(farm)).data.colour, "red");
});

test("what somebody changes at the site is put right", async () => {
  await farm.kubectl(["delete", "configmap", "settings", "-n", "store"]);
  await eventually(() => settings(farm), "the deleted one");
  const other = ["--type", "merge", "-p", '{"data":{"colour":"green"}}'];
  await farm.kubectl(["patch", "configmap", "settings", "-n", "store", ...other]);
  await eventually(
    async () => (await settings(farm)).data.colour === "red",
    "the colour of the hub",
  );
});

test("a site may not read what belongs to another", async () => {
  const secret = await shop.get(
    ...["secret", "hub-kubeconfig-secret", "-n", "open-cluster-management-agent"],
  );
  const as = [
    "--as",
    `system:open-cluster-management:shop:${Buffer.from(secret.data["agent-name"], "base64")}`,
    ...["--as-group", "system:open-cluster-management:shop"],
    ...["--as-group", "system:open-cluster-management:managed-clusters"],
  ];
  const may = async (...what: string[]) =>
    (await hub.tryKubectl(["auth", "can-i", ...what, ...as])).stdout.trim();
  assert.equal(await may("list", "manifestworks", "-n", "shop"), "yes");
  assert.equal(await may("list", "manifestworks", "-n", "farm"), "no");
  assert.equal(await may("get", "secrets", "-n", "shop"), "no");
  assert.equal(await may("update", "managedclusters/farm"), "no");
});

test("without its hub a site goes on; with it back, nothing restarts and news arrive", async () => {
  const before = await podOf(farm);
  process.kill(hub.pid, "SIGKILL");
  await farm.kubectl(["delete", "pod", "-n", "store", before.metadata.name, "--wait=true"]);
  const alone = await eventually(async () => {
    const pod = await podOf(farm);
    return pod?.status.phase === "Running" && pod;
  }, "a new pod without the hub");
  await hub.up("--hub", "--no-node");
  await hub.apply(work("blue"));
  await eventually(async () => (await settings(farm)).data.colour === "blue", "the news");
  assert.equal((await podOf(farm)).metadata.uid, alone.metadata.uid);
});

test("a hub that lost everything deletes nothing at its sites", async () => {
  const pod = await podOf(farm);
  await hub.down();
  rmSync(`${hub.directory}/store`, { recursive: true });
  await hub.up("--hub", "--no-node");
  await farm.attach(hub, "farm");
  await hub.kubectl(clusterCondition("farm", available));
  assert.equal((await podOf(farm)).metadata.uid, pod.metadata.uid);
  await hub.apply(work("blue"));
  await hub.kubectl([
    ...["wait", "manifestwork/web", "-n", "farm", "--for=condition=Available"],
    "--timeout=120s",
  ]);
  assert.equal((await podOf(farm)).metadata.uid, pod.metadata.uid);
});

test("a hub that is restored from a backup goes on with its sites, and deletes nothing there", async () => {
  const files = mkdtempSync(join(tmpdir(), "kerb-backups-"));
  const [whole, member] = [join(files, "centre"), join(files, "farm")];
  assert.match(await hub.kerb("backup", whole), /objects, certificates and keys/);
  assert.match(
    await hub.kerb("backup", member, "--site", "farm"),
    /objects, certificates and keys/,
  );
  await hub.apply(work("green"));
  await eventually(async () => (await settings(farm)).data.colour === "green", "the news");
  const pod = await podOf(farm);
  const watched = (await hub.get("managedcluster", "farm")).metadata.resourceVersion;
  await hub.down();
  rmSync(hub.directory, { recursive: true });
  assert.match(await hub.kerb("restore", whole), /Site centre is restored/);
  await hub.up("--hub", "--no-node");
  const watch = `/apis/cluster.open-cluster-management.io/v1/managedclusters?watch=1&resourceVersion=${watched}`;
  assert.match(await hub.kubectl(["get", "--raw", watch]), /410/);
  await eventually(async () => (await settings(farm)).data.colour === "blue", "what the hub says");
  assert.equal((await podOf(farm)).metadata.uid, pod.metadata.uid);
  const copy = mkdtempSync(join(tmpdir(), "kerb-site-"));
  const said = await run(kerb, ["restore", member, "--data-dir", copy]);
  assert.match(said, /Site farm is restored/);
  const twin = ["up", "--data-dir", copy, "--port", String(await freePort())];
  await assert.rejects(run(kerb, twin), /were taken by the site/);
  rmSync(copy, { recursive: true });
  rmSync(files, { recursive: true });
});

test("a site that is removed at the hub is clean on both sides", async () => {
  await hub.kubectl(["delete", "managedcluster", "farm", "--timeout=120s"]);
  await assert.rejects(settings(farm), /not found/);
  const records = async () => (await farm.get("appliedmanifestworks")).items.length;
  await eventually(async () => (await records()) === 0, "the end of its records");
  const agent = ["-n", "open-cluster-management-agent"];
  await eventually(async () => (await farm.get("secrets", ...agent)).items.length === 0, "no hub");
  await eventually(async () => {
    const { stderr } = await farm.tryKubectl(["get", "clusterrolebinding", "kerb:hub-admins"]);
    return stderr.includes("NotFound");
  }, "the end of the hub's rights");
  await eventually(async () => {
    const { stderr } = await hub.tryKubectl(["get", "namespace", "farm"]);
    return stderr.includes("NotFound");
  }, "the end of its namespace");
});
