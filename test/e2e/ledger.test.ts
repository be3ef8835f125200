// A hub and three sites, each site on a machine of its own with one cable to the hub's. What their agents did at the
// sites is in the sites' audit logs: that ledger is what is judged, besides what everybody sees.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { busyboxArchive } from "../support/image.ts";
import { Machine } from "../support/machine.ts";
import { root, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

const kubectl = join(root, ".cache/clients/kubectl");
const names = ["alpha", "beta", "gamma"];
const machines = names.map(() => new Machine());
let hub: Site;
let folder: string;

/** Only what the member agent changes; its own Secrets and Leases apart. */
const policy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, resources: [{group: "", resources: [secrets, events]}]}
- {level: Metadata, users: ["system:kerb-agent"], verbs: [create, update, patch, delete]}
- {level: None}
`;

const at = (i: number, ...args: string[]) =>
  machines[i]!.run(kubectl, "--kubeconfig", join(machines[i]!.directory, "kubeconfig"), ...args);
const got = async (i: number, ...args: string[]) =>
  JSON.parse(await at(i, "get", "-o", "json", ...args));

/** What the agent of site `i` did to the workload, in its order. */
function deeds(i: number): string[] {
  return readFileSync(join(machines[i]!.directory, "audit.log"), "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .filter(
      ({ objectRef, responseStatus: { code } }) => objectRef?.namespace === "store" && code < 300,
    )
    .map(({ verb, objectRef: { resource, name } }) => `${verb} ${[resource, name].join("/")}`);
}

/** From the deed numbered `from` on; the same again and again counts once. */
const ledger = (i: number, from = 0) =>
  deeds(i)
    .slice(from)
    .filter((deed, n, all) => deed !== all[n - 1]);

const available = (name: string) =>
  hub.kubectl([
    ...["wait", `managedcluster/${name}`, "--for=condition=ManagedClusterConditionAvailable"],
    "--timeout=120s",
  ]);

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "kerb-ledger-"));
  const audit = join(folder, "policy.yaml");
  writeFileSync(audit, policy);
  for (const machine of machines) await machine.start();
  const listen = machines.flatMap(({ hostAddress }) => ["--listen", hostAddress]);
  hub = await startSite("--name", "centre", "--hub", "--no-node", ...listen);
  await Promise.all(
    machines.map((machine, i) => {
      const node = i === 0 ? [] : ["--no-node"];
      const log = ["--audit-policy", audit, "--audit-log", join(machine.directory, "audit.log")];
      return machine.kerb("up", "--detach", "--name", names[i]!, ...log, ...node);
    }),
  );
  const archive = join(folder, "busybox.tar");
  writeFileSync(archive, busyboxArchive());
  await machines[0]!.kerb("image", "import", archive);
});
after(async () => {
  for (const machine of machines) await machine.plug(true);
  await Promise.all([hub?.remove(), ...machines.map((machine) => machine.remove())]);
  rmSync(folder, { recursive: true, force: true });
});

const content = (colour: string, more = "") => `
apiVersion: work.open-cluster-management.io/v1alpha1
kind: ManifestWorkReplicaSet
metadata:
  name: web
  namespace: team
  annotations: {fleet.kerb.dev/on-failure: RollBack}
spec:
  placementRefs:
  - name: shops
    rolloutStrategy: {type: Progressive, progressive: {maxConcurrency: 1}}
  manifestWorkTemplate:
    workload:
      manifests:
      - {apiVersion: v1, kind: Namespace, metadata: {name: store}}
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: colour, namespace: store}, data: {is: ${colour}}}
      - apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, namespace: store}
        spec:
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec:
              terminationGracePeriodSeconds: 0
              containers: [{name: web, image: "busybox:kerb", command: [sh, -c, "echo open; sleep 3600"]}]
${more}`;

const placement = `
apiVersion: v1
kind: Namespace
metadata: {name: team}
---
apiVersion: cluster.open-cluster-management.io/v1beta2
kind: ManagedClusterSetBinding
metadata: {name: global, namespace: team}
spec: {clusterSet: global}
---
apiVersion: cluster.open-cluster-management.io/v1beta1
kind: Placement
metadata: {name: shops, namespace: team}
spec: {predicates: [{requiredClusterSelector: {labelSelector: {matchLabels: {shop: "yes"}}}}]}
---`;

const rolledOut = (reason: string) =>
  eventually(async () => {
    const { status, metadata } = await hub.get("manifestworkreplicaset", "web", "-n", "team");
    const found = status?.conditions?.find((one: any) => one.type === "PlacementRolledOut");
    const isOfThis = found?.observedGeneration === metadata.generation;
    return isOfThis && found.reason === reason && found;
  }, `a rollout that is ${reason}`);
const colourAt = async (i: number) =>
  (await got(i, "configmap", "colour", "-n", "store").catch(() => undefined))?.data.is;
const colours = () => Promise.all(names.map((_, i) => colourAt(i)));
const podAt = async (i: number) => (await got(i, "pods", "-n", "store")).items[0];

/** Of what is new the log tells no name. */
const brought = ["create configmaps/", "create deployments/"];

test("three sites come in over their cables and are accepted", async () => {
  for (const [i, machine] of machines.entries()) {
    const words = (await hub.attachWords(names[i]!)).map((word) =>
      word.replace(/\/\/[^:]+:/, `//${machine.hostAddress}:`),
    );
    assert.match(await machine.kerb(...words), /Attached as/);
  }
  await Promise.all(names.map(available));
});

test("a Deployment reaches the chosen sites alone, and their state comes back", async () => {
  await hub.kubectl(["label", "managedcluster/alpha", "managedcluster/beta", "shop=yes"]);
  await hub.apply(placement + content("red"));
  await rolledOut("Complete");
  assert.deepEqual(await colours(), ["red", "red", undefined]);
  const done = ["--all", "-n", "alpha", "--for=condition=Available", "--timeout=120s"];
  await hub.kubectl(["wait", "manifestwork", ...done]);
  for (const i of [0, 1]) assert.deepEqual(ledger(i).slice(0, 2), brought);
  assert.deepEqual(ledger(2), []);
});

test("kubectl reads a pod's log through the hub", async () => {
  const fleet = join(folder, "fleet");
  writeFileSync(fleet, await hub.kerb("kubeconfig", "--sites"), { mode: 0o600 });
  const read = async () =>
    (
      await hub.kubectl([
        "--kubeconfig",
        fleet,
        "--cluster",
        "alpha",
        "logs",
        "-n",
        "store",
        "deploy/web",
      ])
    ).trim();
  assert.equal(
    await eventually(async () => (await read()) === "open" && "open", "the log"),
    "open",
  );
});

test("a rollout that fails at one site stops there and goes back, and others never see it", async () => {
  await hub.kubectl(["label", "managedcluster/gamma", "shop=yes"]);
  // The rollout that is complete may be the one from before gamma was chosen.
  await eventually(async () => ledger(2).length === brought.length, "gamma's share");
  await rolledOut("Complete");
  // Beta alone lacks the kind, and is second in turn.
  const kind = (i: number) => at(i, "create", "-f", join(root, "examples/sensor-crd.yaml"));
  await Promise.all([kind(0), kind(2)]);
  const sensor = `
      - {apiVersion: example.org/v1, kind: Sensor, metadata: {name: s, namespace: store}, spec: {}}`;
  const before = names.map((_, i) => deeds(i).length);
  await hub.apply(content("black", sensor));
  await rolledOut("Stopped");
  await eventually(async () => (await colours()).join() === "red,red,red", "what was before");
  const since = names.map((_, i) => ledger(i, before[i]));
  assert.ok(since[0]!.includes("patch configmaps/colour"), since[0]!.join());
  assert.deepEqual(since[2], []);
  await hub.apply(content("red"));
  await rolledOut("Complete");
});

test("while its cable is out a site goes on; then both sides' changes stand", async () => {
  const pod = await podAt(0);
  const before = deeds(0).length;
  await machines[0]!.plug(false);
  await hub.apply(content("blue"));
  await at(0, "create", "configmap", "own", "-n", "store");
  await at(0, "delete", "pod", pod.metadata.name, "-n", "store");
  const alone = await eventually(async () => {
    const found = await podAt(0);
    return found?.status.phase === "Running" && found;
  }, "a pod that nobody at the hub knows of");
  await machines[0]!.plug(true);
  await rolledOut("Complete");
  assert.deepEqual(await colours(), ["blue", "blue", "blue"]);
  assert.equal((await podAt(0)).metadata.uid, alone.metadata.uid);
  await got(0, "configmap", "own", "-n", "store");
  assert.deepEqual(ledger(0, before), ["patch configmaps/colour"]);
});

test("the hub's disk is lost and restored from a backup: no site loses anything", async () => {
  const backup = join(folder, "backup");
  await hub.kerb("backup", backup);
  const before = names.map((_, i) => deeds(i).length);
  const pod = await podAt(0);
  await hub.down();
  rmSync(hub.directory, { recursive: true });
  await hub.kerb("restore", backup);
  const listen = machines.flatMap(({ hostAddress }) => ["--listen", hostAddress]);
  await hub.up("--hub", "--no-node", ...listen);
  await hub.apply(content("white"));
  await rolledOut("Complete");
  assert.deepEqual(await colours(), ["white", "white", "white"]);
  assert.equal((await podAt(0)).metadata.uid, pod.metadata.uid);
  for (const [i, length] of before.entries()) {
    assert.deepEqual(ledger(i, length), ["patch configmaps/colour"], names[i]!);
  }
});

test("in all that time no agent deleted anything", (t) => {
  for (const [i, name] of names.entries()) {
    const all = ledger(i);
    t.diagnostic(`${name}: ${all.join(", ")}`);
    assert.deepEqual(
      all.filter((deed) => deed.startsWith("delete")),
      [],
    );
  }
});
