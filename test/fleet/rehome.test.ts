// A site and two hubs: it moves between them, alive or gone, and what runs at the site does not notice.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let north: Site;
let south: Site;
let farm: Site;

const hub = ["--hub", "--no-node"];

before(async () => {
  [north, south, farm] = await Promise.all([
    startSite("--name", "north", ...hub),
    startSite("--name", "south", ...hub),
    startSite("--name", "farm", "--no-node"),
  ]);
});
after(() => Promise.all([north, south, farm].map((site) => site?.remove())));

const work = (name: string, colour: string) => `
apiVersion: work.open-cluster-management.io/v1
kind: ManifestWork
metadata: {name: ${name}, namespace: farm}
spec:
  workload:
    manifests:
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}, namespace: default}, data: {colour: ${colour}}}
`;

const give = async (to: Site, name: string, colour: string) => {
  await eventually(() => to.kubectl(["get", "namespace", "farm"]), "the site's namespace");
  await to.apply(work(name, colour));
};
const settings = (name = "web") => farm.get("configmap", name);
const records = async (): Promise<string[]> =>
  (await farm.get("appliedmanifestworks")).items
    .map(({ spec }: any) => spec.manifestWorkName)
    .sort();
const available = (at: Site) =>
  at.kubectl([
    ...["wait", "managedcluster/farm", "--timeout=120s"],
    "--for=condition=ManagedClusterConditionAvailable",
  ]);
const departed = async (at: Site) =>
  (await at.get("managedcluster", "farm")).status.conditions.find(
    ({ type }: any) => type === "Departed",
  );

test("a site moves to another hub: the first is told, works of the same name are taken over", async () => {
  await farm.attach(north, "farm");
  await give(north, "web", "red");
  await give(north, "old", "grey");
  const before = await eventually(() => settings(), "what the first hub wants");
  await eventually(() => settings("old"), "all of it");
  assert.match(await farm.attach(south, "farm"), /Attached as farm/);
  await available(south);
  assert.equal((await departed(north)).reason, "Rehomed");
  assert.deepEqual(await records(), ["old", "web"]);
  await give(south, "web", "blue");
  await eventually(
    async () => (await settings()).data.colour === "blue",
    "the second hub's colour",
  );
  const after = await settings();
  assert.equal(after.metadata.uid, before.metadata.uid);
  await eventually(async () => (await records()).length === 2, "one record per work");
  assert.equal((await settings()).metadata.ownerReferences.length, 1);
  assert.equal((await settings("old")).data.colour, "grey");
  await north.apply(work("web", "green"));
  await south.kubectl(["delete", "manifestwork", "-n", "farm", "web", "--timeout=120s"]);
  await assert.rejects(settings(), /not found/);
  assert.equal((await settings("old")).data.colour, "grey");
});

test("a hub that the site has left is rid of it without waiting for anybody", async () => {
  await north.kubectl(["delete", "managedcluster", "farm", "--timeout=120s"]);
  assert.equal((await settings("old")).data.colour, "grey");
});

test("a site leaves a hub that is gone, and what it does not take over is deleted by hand", async () => {
  await give(south, "web", "blue");
  const before = await eventually(() => settings(), "the work");
  process.kill(south.pid, "SIGKILL");
  assert.match(await farm.attach(north, "farm"), /Attached as farm/);
  await available(north);
  await give(north, "web", "white");
  await eventually(
    async () => (await settings()).data.colour === "white",
    "the first hub's colour",
  );
  assert.equal((await settings()).metadata.uid, before.metadata.uid);
  const all = (await farm.get("appliedmanifestworks")).items;
  const { metadata } = all.find(({ spec }: any) => spec.manifestWorkName === "old");
  await farm.kubectl(["delete", "appliedmanifestwork", metadata.name, "--timeout=120s"]);
  await assert.rejects(settings("old"), /not found/);
});

test("an object that another hub's agent keeps is left alone, and the work says so", async () => {
  const { metadata } = JSON.parse(
    await farm.kubectl(["create", "-o", "json", "-f", "-"], {
      input: `
apiVersion: work.open-cluster-management.io/v1
kind: AppliedManifestWork
metadata: {name: others-work}
spec: {hubHash: others, manifestWorkName: theirs, agentID: someone}
`,
    }),
  );
  await farm.apply(`
apiVersion: v1
kind: ConfigMap
metadata:
  name: theirs
  namespace: default
  ownerReferences:
  - {apiVersion: work.open-cluster-management.io/v1, kind: AppliedManifestWork, name: others-work, uid: ${metadata.uid}}
data: {colour: black}
`);
  await give(north, "theirs", "pink");
  const why = await eventually(async () => {
    const { status } = await north.get("manifestwork", "theirs", "-n", "farm");
    return status.resourceStatus.manifests[0].conditions.find(
      ({ type, status }: any) => type === "Applied" && status === "False",
    );
  }, "a refusal");
  assert.match(why.message, /kept by work theirs of another hub's agent/);
  assert.equal((await settings("theirs")).data.colour, "black");
});

test("a site that is detached keeps what it has, and its hub knows", async () => {
  assert.match(await farm.kerb("detach"), /Detached; https:.* knows/);
  assert.equal((await departed(north)).reason, "Detached");
  assert.equal((await settings()).data.colour, "white");
  await assert.rejects(farm.kerb("detach"), /no hub's member/);
  await north.kubectl(["delete", "managedcluster", "farm", "--timeout=120s"]);
  assert.equal((await settings()).data.colour, "white");
});

test("one that is detached with its works gives all of them back", async () => {
  await farm.attach(north, "farm");
  await give(north, "web", "white");
  await eventually(async () => (await records()).includes("web"), "the work");
  assert.match(await farm.kerb("detach", "--remove-works"), /Taken back: what \d works made/);
  await assert.rejects(settings(), /not found/);
});
