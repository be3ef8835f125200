// A node that holds one of a shared device's two slots is gone for good: its slot waits for who says so, and is then
// taken by who waited, with never more than two holders.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { busyboxArchive, importBusybox } from "../support/image.ts";
import { Machine } from "../support/machine.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

const far = new Machine();
let site: Site;
let watching: NodeJS.Timeout;
let most = 0;
/** As nobody else sleeps. */
const seconds = String(500_000 + process.pid);

function isUser(pid: string): boolean {
  try {
    const [of, how] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return of === "sleep" && how === seconds;
  } catch {
    return false;
  }
}

const usersNow = () =>
  readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && isUser(pid)).length;

before(async () => {
  await far.start();
  site = await startSite("--name", "near", "--listen", far.hostAddress, "--devices");
  await far.join(...(await site.joinWords()), "--name", "far", "--devices");
  const archive = join(far.directory, "busybox.tar");
  writeFileSync(archive, busyboxArchive());
  await Promise.all([importBusybox(site), far.kerb("image", "import", archive)]);
  watching = setInterval(() => (most = Math.max(most, usersNow())), 50);
});
after(async () => {
  clearInterval(watching);
  await far.remove();
  await site.remove();
});

const broker = (name: string, node: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: users}}
spec:
  ${node && `nodeSelector: {kubernetes.io/hostname: ${node}}`}
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: docker.io/library/busybox:kerb
    command: [sleep, "${seconds}"]
    resources: {limits: {akri.sh/press: "1"}}
`;

const phaseOf = async (name: string) => (await site.get("pod", name)).status.phase;

const holders = async () =>
  Object.values((await site.get("akrii")).items[0].spec.deviceUsage ?? {});

test("a slot of a node that is gone is free once it is said that nothing runs there", async () => {
  await site.apply(`
apiVersion: akri.sh/v0
kind: Configuration
metadata: {name: press}
spec:
  discoveryHandler: {name: debugEcho, discoveryDetails: 'descriptions: [press]'}
  capacity: 2
`);
  await eventually(async () => {
    const [one] = (await site.get("akrii")).items;
    return one?.spec.nodes.length === 2;
  }, "a device of both nodes");
  await site.apply([broker("here", "near"), broker("there", "far")].join("---"));
  await eventually(async () => usersNow() === 2, "two users");
  await site.apply(broker("waits", ""));
  await far.reboot({ isPlugged: false });
  await site.kubectl(["wait", "node/far", "--for=condition=Ready=Unknown", "--timeout=120s"]);
  await eventually(async () => {
    const [one] = (await site.get("akrii")).items;
    return one.spec.nodes.length === 1;
  }, "a device of one node");
  assert.equal((await holders()).length, 2, "what ran there may run on");
  assert.equal(await phaseOf("waits"), "Pending");
  await site.kubectl(["taint", "node", "far", "node.kubernetes.io/out-of-service=gone:NoExecute"]);
  await eventually(async () => (await phaseOf("waits")) === "Running", "who waited");
  assert.deepEqual(
    (await holders()).map((text) => String(text).split(":").at(-1)),
    ["near", "near"],
  );
  assert.equal(await phaseOf("here"), "Running");
  assert.equal(most, 2);
});
