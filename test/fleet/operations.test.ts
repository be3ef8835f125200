// Strategies over a fleet: a backup everywhere, images before a window, a new authority under a site's feet, other
// options, and another release of Kerb that stops at the first site where it fails.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { setInterval } from "node:timers/promises";
import { run } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { makeRelease } from "../support/release.ts";
import { freePort, kerb, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let hub: Site;
let farm: Site;
let shop: Site;
let ingressPort: number;
const files: string[] = [];

before(async () => {
  ingressPort = await freePort();
  const ports = [["http", ingressPort] as const, ["https", await freePort()] as const];
  const ingress = ports.flatMap(([what, port]) => [`--ingress-${what}-port`, String(port)]);
  [hub, farm, shop] = await Promise.all([
    startSite("--name", "centre", "--hub", "--no-node"),
    startSite("--name", "farm", ...ingress, "--ingress-address", "127.0.0.1"),
    startSite("--name", "shop", "--no-node"),
  ]);
  await importBusybox(farm);
  for (const site of [farm, shop]) {
    const name = site === farm ? "farm" : "shop";
    await site.attach(hub, name);
    await hub.kubectl(["label", "managedcluster", name, `place=${name}`]);
  }
  await eventually(
    async () =>
      (await hub.get("sites")).items.filter((one: any) => one.status?.availability === "Online")
        .length === 2,
    "both sites",
  );
});
after(async () => {
  await Promise.all([hub, farm, shop].map((site) => site?.remove()));
  for (const file of files) rmSync(dirname(file), { recursive: true });
});

const strategy = (name: string, operation: object, more: object = {}) =>
  hub.kubectl(["create", "-f", "-"], {
    input: JSON.stringify({
      apiVersion: "fleet.kerb.dev/v1alpha1",
      kind: "UpdateStrategy",
      metadata: { name },
      spec: { operation, ...more },
    }),
  });

const over = (name: string) =>
  eventually(async () => {
    const { status } = await hub.get("updatestrategy", name);
    return ["Complete", "Failed", "Aborted"].includes(status?.state) && status;
  }, `the end of ${name}`);

const steady = `
apiVersion: v1
kind: Pod
metadata: {name: steady}
spec:
  containers: [{name: steady, image: "busybox:kerb", command: [sleep, "3600"]}]
`;

const container = async () => {
  const { metadata, status } = await farm.get("pod", "steady");
  const [{ containerID, restartCount }] = status.containerStatuses;
  return { uid: metadata.uid, containerID, restartCount };
};

const choose = (place: string) => ({ siteSelector: { matchLabels: { place } } });

test("every site of a group backs itself up, and the fleet reads at a glance", async () => {
  await hub.apply(`
apiVersion: fleet.kerb.dev/v1alpha1
kind: SiteGroup
metadata: {name: all}
spec: {maxParallel: 1}
`);
  await strategy("nightly", { type: "Backup", backup: { keep: 1 } }, { group: "all" });
  const { state, sites } = await over("nightly");
  assert.equal(state, "Complete");
  assert.match(sites[0].message, /objects in backups/);
  const folder = join(shop.directory, "backups");
  const [file] = readdirSync(folder);
  assert.equal(statSync(join(folder, file!)).mode & 0o777, 0o600);
  const central = { keep: 1, location: "Hub" };
  await strategy("central", { type: "Backup", backup: central }, { group: "all" });
  const kept = await over("central");
  assert.equal(kept.state, "Complete", kept.message);
  assert.match(kept.sites[0].message, /objects in backups\/farm\//);
  const [held] = readdirSync(join(hub.directory, "backups/shop"));
  assert.equal(statSync(join(hub.directory, "backups/shop", held!)).mode & 0o777, 0o600);
  const table = await hub.kubectl(["get", "sites"]);
  assert.match(table, /farm +Managed +Online +InSync +0\.1\.0/);
  assert.match(await hub.kubectl(["get", "sitegroups"]), /all +1 +2/);
});

test("what does not belong to an operation is refused by name, and an operation is decided once", async () => {
  await assert.rejects(
    strategy("odd", { type: "Backup", images: ["a"] }),
    /images belong to PrestageImages/,
  );
  await assert.rejects(strategy("odd", { type: "Reboot" }), /Unsupported value: "Reboot"/);
  const change = ["--type", "merge", "-p", '{"spec":{"operation":{"backup":{"keep":2}}}}'];
  await assert.rejects(
    hub.kubectl(["patch", "updatestrategy", "nightly", ...change]),
    /decided once/,
  );
});

test("images are there before a window opens, and a site without nodes says so", async () => {
  await hub.apply(`
apiVersion: fleet.kerb.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: never}
spec: {schedule: "0 0 30 2 *", duration: 1h}
`);
  await strategy("images", { type: "PrestageImages", images: ["busybox:kerb"] }, choose("farm"));
  const done = await over("images");
  assert.equal(done.state, "Complete", done.message);
  assert.match(done.sites[0].message, /1 images on 1 nodes/);
  await strategy("nowhere", { type: "PrestageImages", images: ["busybox:kerb"] }, choose("shop"));
  assert.match((await over("nowhere")).sites[0].message, /has no nodes/);
});

test("a new authority waits for the window; without one it is there in three phases", async () => {
  const authority = { restSeconds: 1 };
  await strategy("authority", { type: "RotateAuthority", authority }, choose("shop"));
  await eventually(async () => {
    const { status } = await hub.get("updatestrategy", "authority");
    return /waits for its maintenance window/.test(status?.sites?.[0]?.message ?? "");
  }, "the wait");
  const before = readFileSync(shop.kubeconfig, "utf8");
  await hub.kubectl(["delete", "maintenancewindow", "never"]);
  assert.equal((await over("authority")).state, "Complete");
  assert.notEqual(readFileSync(shop.kubeconfig, "utf8"), before);
  assert.match(await shop.kerb("authority", "status"), /^Settled/);
  assert.match(await shop.kubectl(["get", "namespaces"]), /kube-system/);
});

const configure = (...settings: string[]) => ({
  type: "ChangeConfiguration",
  configuration: settings.map((one) => {
    const [option, value] = one.split(/=(.*)/s);
    return { option, value };
  }),
});

/** How often it was started with a change that it tries; undefined when it tries none. */
const startsOfChange = ({ directory }: Site): number | undefined => {
  const file = join(directory, "configuration.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).trying?.starts : undefined;
};

test("sites get other options, and those before when they are not ready with them", async () => {
  await assert.rejects(
    strategy("odd", configure("data-dir=/elsewhere")),
    /Unsupported value: "data-dir"/,
  );
  await farm.apply(steady);
  await farm.kubectl(["wait", "pod/steady", "--for=condition=Ready", "--timeout=120s"]);
  const before = await container();
  await strategy("percent", configure("image-gc-high-threshold=lots"), choose("shop"));
  const refused = await over("percent");
  assert.match(refused.sites[0].message, /--image-gc-high-threshold .*whole number of percent/);

  const wanted = configure("ingress=true", "eviction-hard=memory.available<90Mi");
  const { pid } = farm;
  await strategy("ill", wanted, choose("farm"));
  let looks = 0;
  for await (const _ of setInterval(10)) {
    if (startsOfChange(farm) === 1) break;
    assert.ok(++looks < 3000, "the change was never tried");
  }
  process.kill(pid, "SIGKILL");
  const fallen = await over("ill");
  assert.equal(fallen.state, "Failed");
  assert.match(fallen.sites[0].message, /ended before it was ready; .*the site has no option/);
  assert.notEqual(farm.pid, pid);

  await strategy("well", wanted, { maxParallel: 1 });
  const done = await over("well");
  assert.equal(done.state, "Complete", done.message);
  assert.match(done.sites[0].message, /eviction-hard=memory\.available<90Mi, ingress=true/);
  const listed = await farm.kerb("configure");
  assert.match(listed, /ingress +true +kerb configure/);
  const log = readFileSync(join(farm.directory, "kerb.log"), "utf8");
  assert.match(log, new RegExp(`ingress +\\d+ ms +${ingressPort},`));
  assert.deepEqual(await container(), before);
});

const fragile = `
apiVersion: v1
kind: Pod
metadata: {name: fragile}
spec:
  containers: [{name: fragile, image: "busybox:kerb", command: [sleep, "3600"]}]
`;

test("options under which what ran does not come back are not the site's, though its API answers", async () => {
  await farm.apply(fragile);
  await farm.kubectl(["wait", "pod/fragile", "--for=condition=Ready", "--timeout=120s"]);
  const greedy = ["eviction-hard=memory.available<4Ti", "--data-dir", farm.directory];
  await assert.rejects(
    run(kerb, ["configure", ...greedy], { timeoutMs: 240_000 }),
    /not as before in time: .*default\/\w+ did not come back; .*the options before are/,
  );
  assert.match(await farm.kerb("configure"), /eviction-hard +memory\.available<90Mi/);
  await farm.kubectl(["delete", "pod", "--all", "--now"]);
});

test("a person changes one site's options, which stay over a restart", async () => {
  const { pid } = shop;
  await assert.rejects(shop.kerb("configure", "colour=red"), /option colour cannot be changed/);
  assert.match(
    await shop.kerb("configure", "ingress=", "autonomy-duration=1h"),
    /1h +kerb configure/,
  );
  assert.equal(shop.pid, pid);
  await shop.down();
  await shop.up("--name", "shop", "--no-node", "--autonomy-duration", "2h");
  const listed = await shop.kerb("configure");
  assert.match(listed, /autonomy-duration +the command line/);
  assert.match(listed, /eviction-hard +memory.available<90Mi +kerb configure/);
});

test("another release stops where it fails, and is everywhere when it does not, over a hub that crashes", async () => {
  await farm.apply(steady);
  await farm.kubectl(["wait", "pod/steady", "--for=condition=Ready", "--timeout=120s"]);
  const [before, pid] = [await container(), farm.pid];
  const release = async (...what: Parameters<typeof makeRelease>) => {
    const file = await makeRelease(...what);
    files.push(file);
    const said = await hub.kerb("update", "--offer", file);
    const [, url, sha256] = /url: (\S+)\nsha256: (\S+)/.exec(said)!;
    return { type: "UpdateKerb", release: { version: what[0], url, sha256 } };
  };
  await strategy("broken", await release("0.9.7", "ends"), { maxParallel: 1 });
  const stopped = await over("broken");
  assert.equal(stopped.state, "Failed");
  assert.match(stopped.message, /since farm failed; 1 of 2 were not begun/);
  assert.match(readFileSync(join(farm.directory, "kerb.log"), "utf8"), /this release is broken/);
  assert.match(stopped.sites[0].message, /0\.9\.7 ended before it was ready; .* 0\.1\.0 runs/);
  // The broken one was started from this process; the old release runs in another.
  assert.notEqual(farm.pid, pid);
  const own = farm.pid;
  await strategy("better", await release("0.9.8"), { maxParallel: 1 });
  await eventually(
    async () =>
      (await hub.get("updatestrategy", "better")).status?.sites?.[0]?.state === "Applying",
    "the first site",
  );
  process.kill(hub.pid, "SIGKILL");
  await hub.up("--hub", "--no-node");
  assert.equal((await over("better")).state, "Complete");
  await eventually(
    async () => (await hub.get("sites")).items.every((one: any) => one.status.version === "0.9.8"),
    "their versions",
  );
  assert.equal(farm.pid, own);
  assert.deepEqual(await container(), before);
});
