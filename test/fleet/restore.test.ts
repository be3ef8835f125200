// A site is lost with its disk. The backup that its hub had fetched makes it again on another machine, where it
// comes to its hub by itself and does what changed meanwhile.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { freePort, Site, startSite } from "../support/site.ts";

let hub: Site;
let farm: Site;

before(async () => {
  [hub, farm] = await Promise.all([
    startSite("--name", "centre", "--hub", "--no-node"),
    startSite("--name", "farm"),
  ]);
  await importBusybox(farm);
});
after(() => Promise.all([hub, farm].map((site) => site?.remove())));

const give = (name: string, colour: string) =>
  hub.apply(`
apiVersion: work.open-cluster-management.io/v1
kind: ManifestWork
metadata: {name: ${name}, namespace: farm}
spec:
  workload:
    manifests:
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}, namespace: default}, data: {colour: ${colour}}}
`);

const store = `
apiVersion: work.open-cluster-management.io/v1
kind: ManifestWork
metadata: {name: store, namespace: farm}
spec:
  workload:
    manifests:
    - apiVersion: apps/v1
      kind: Deployment
      metadata: {name: store, namespace: default}
      spec:
        selector: {matchLabels: {app: store}}
        template:
          metadata: {labels: {app: store}}
          spec:
            containers: [{name: store, image: "busybox:kerb", command: [sh, -c, "echo open; sleep 3600"]}]
`;

const colour = async (name: string) => (await farm.get("configmap", name)).data.colour;
const done = (name: string) =>
  hub.kubectl([
    ...["wait", `manifestwork/${name}`, "-n", "farm", "--timeout=120s"],
    "--for=condition=Available",
  ]);
const available = (status: "True" | "Unknown") =>
  hub.kubectl([
    ...["wait", "managedcluster/farm", "--timeout=120s"],
    `--for=condition=ManagedClusterConditionAvailable=${status}`,
  ]);
const isOnline = () =>
  eventually(
    async () => (await hub.get("site", "farm")).status?.availability === "Online",
    "the site at its hub",
  );

async function backUp(name: string): Promise<string> {
  await hub.apply(`
apiVersion: fleet.kerb.dev/v1alpha1
kind: UpdateStrategy
metadata: {name: ${name}}
spec:
  siteSelector: {}
  operation: {type: Backup, backup: {keep: 1, location: Hub}}
`);
  const { state, message } = await eventually(async () => {
    const { status } = await hub.get("updatestrategy", name);
    return ["Complete", "Failed"].includes(status?.state) && status;
  }, "the backup");
  assert.equal(state, "Complete", message);
  const folder = join(hub.directory, "backups/farm");
  const [file, ...more] = readdirSync(folder);
  assert.deepEqual(more, []);
  return join(folder, file!);
}

/** All that the machine had goes. */
async function loseSite() {
  await farm.down("--grace-period=0");
  rmSync(farm.directory, { recursive: true });
}

async function restore(file: string) {
  farm = new Site(mkdtempSync(join(tmpdir(), "kerb-site-")), await freePort());
  assert.match(await farm.kerb("restore", file), /Site farm is restored as of .*: \d+ objects/);
  await farm.up();
  await importBusybox(farm);
}

/** What the hub's people and the site's own made, as the site has it. */
const uids = async () => {
  const { items } = await farm.get("configmap,deployment,secret", "-l", "app!=none");
  return Object.fromEntries(
    items.map(({ kind, metadata }: any) => [`${kind}/${metadata.name}`, metadata.uid]),
  );
};

test("a site whose machine is lost goes on from the backup that its hub fetched", async () => {
  assert.match(await farm.attach(hub, "farm"), /Attached as farm/);
  await available("True");
  await hub.apply(store);
  for (const name of ["kept", "changed", "ended"]) await give(name, "red");
  for (const name of ["store", "kept", "changed", "ended"]) await done(name);
  await farm.kubectl(["create", "secret", "generic", "own", "--from-literal=till=open"]);
  const before = await uids();
  const file = await backUp("before");
  await farm.kubectl(["create", "configmap", "young"]);
  await loseSite();

  await give("changed", "blue");
  await give("new", "blue");
  await hub.kubectl(["delete", "manifestwork", "ended", "-n", "farm", "--wait=false"]);
  await restore(file);

  await isOnline();
  await eventually(async () => (await colour("changed")) === "blue", "what changed meanwhile");
  await eventually(async () => (await colour("new")) === "blue", "what is new");
  await eventually(
    async () => (await farm.tryKubectl(["get", "configmap", "ended"])).code !== 0,
    "what the hub took back",
  );
  await hub.kubectl(["wait", "manifestwork/ended", "-n", "farm", "--for=delete"]);
  const { "ConfigMap/ended": _, ...stays } = before as Record<string, string>;
  const now = await uids();
  for (const [what, uid] of Object.entries(stays)) assert.equal(now[what], uid, what);
  assert.equal(await colour("kept"), "red");
  assert.equal(now["ConfigMap/young"], undefined);
  await farm.kubectl(["wait", "deployment/store", "--for=condition=Available", "--timeout=120s"]);
});

test("the hub's people reach the restored site, and its Secrets are there", async () => {
  const fleet = join(hub.directory, "fleet");
  writeFileSync(fleet, await hub.kerb("kubeconfig", "--sites"), { mode: 0o600 });
  const through = (...args: string[]) =>
    hub.kubectl(["--kubeconfig", fleet, "--cluster", "farm", ...args]);
  const said = await eventually(() => through("logs", "deployment/store"), "the way to the site");
  assert.equal(said, "open\n");
  const till = await through("get", "secret", "own", "-o", "jsonpath={.data.till}");
  assert.equal(Buffer.from(till, "base64").toString(), "open");
});

test("a restored site is attached again, when its hub had given it up, and nothing of its own goes", async () => {
  const file = await backUp("again");
  await loseSite();
  // Nobody is there to take back what works made.
  await hub.kubectl(["delete", "managedcluster", "farm", "--wait=false"]);
  for (const name of ["store", "kept", "changed", "new"]) {
    const work = ["manifestwork", name, "-n", "farm"];
    const none = ["--type", "merge", "-p", '{"metadata":{"finalizers":null}}'];
    await hub.kubectl(["patch", ...work, ...none]);
  }
  await hub.kubectl(["wait", "managedcluster/farm", "--for=delete", "--timeout=120s"]);
  await restore(file);
  const before = await uids();
  assert.match(await farm.attach(hub, "farm"), /Attached as farm/);
  await available("True");
  await give("kept", "white");
  await done("kept");
  assert.equal(await colour("kept"), "white");
  const now = await uids();
  for (const [what, uid] of Object.entries(before)) assert.equal(now[what], uid, what);
});
