// One device that two nodes reach, with two slots and three who want one: never more than two have it, whatever
// happens to the nodes. Who has it is counted among the machine's processes, not asked of anybody.
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
const seconds = String(400_000 + process.pid);

function usersNow(): number {
  const commandOf = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    } catch {
      return [];
    }
  };
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(commandOf).filter(([of, how]) => of === "sleep" && how === seconds).length;
}

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

const users = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: users}
spec:
  replicas: 3
  selector: {matchLabels: {app: users}}
  template:
    metadata: {labels: {app: users}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: docker.io/library/busybox:kerb
        command: [sleep, "${seconds}"]
        resources: {limits: {akri.sh/press: "1"}}
`;

const running = async () => {
  const { items } = await site.get("pods", "-l", "app=users");
  return items.filter(({ status, metadata }: any) => {
    return status.phase === "Running" && !metadata.deletionTimestamp;
  });
};

const untilTwoRun = () =>
  eventually(async () => {
    const pods = await running();
    return pods.length === 2 && usersNow() === 2 && pods;
  }, "two users");

test("of three who want one of two slots two have one", async () => {
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
    return one.spec.nodes.length === 2;
  }, "a device of both nodes");
  await site.apply(users);
  await untilTwoRun();
  const { deviceUsage } = (await site.get("akrii")).items[0].spec;
  assert.equal(Object.keys(deviceUsage).length, 2);
});

test("agents that are killed, links that are cut and pods that go give no slot out twice", async () => {
  await far.kill();
  await site.kubectl(["delete", "pods", "-l", "app=users", "--force", "--grace-period=0"]);
  await far.join("--devices");
  await untilTwoRun();
  await far.plug(false);
  await site.kubectl(["delete", "pods", "-l", "app=users", "--force", "--grace-period=0"]);
  await far.plug(true);
  await untilTwoRun();
  assert.equal(most, 2);
});

test("slots are free as soon as those who had them are gone", async () => {
  await site.kubectl(["delete", "deployment", "users"]);
  await eventually(async () => {
    const [one] = (await site.get("akrii")).items;
    return Object.keys(one.spec.deviceUsage ?? {}).length === 0;
  }, "free slots");
});

test("where one node is to look for all there is one broker, and it moves with the search", async () => {
  await site.apply(`
apiVersion: akri.sh/v0
kind: Configuration
metadata: {name: lone}
spec:
  discoveryHandler: {name: debugEcho, discoveryDetails: 'descriptions: [lamp]'}
  searchBy: OneNode
  brokerSpec:
    brokerPodSpec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: docker.io/library/busybox:kerb
        command: [sleep, "100000"]
        resources: {limits: {"{{PLACEHOLDER}}": "1"}}
`);
  const untilAt = (wanted: string[]) =>
    eventually(
      async () => {
        const { items } = await site.get("pods", "-l", "akri.sh/configuration=lone");
        const [broker, ...more] = items;
        const isAlone = broker?.status.phase === "Running" && more.length === 0;
        return isAlone && wanted.includes(broker.spec.nodeName) && broker.spec.nodeName;
      },
      `one broker at ${wanted.join(" or ")}`,
    );
  const first = await untilAt(["near", "far"]);
  const { metadata, spec } = (await site.get("akrii")).items.find(
    (one: any) => one.spec.configurationName === "lone",
  );
  assert.deepEqual(spec.nodes, [first]);
  const other = first === "near" ? "far" : "near";
  const status = JSON.stringify({ status: { searchNode: other } });
  await site.kubectl([
    "patch",
    "akric",
    "lone",
    "--subresource=status",
    "--type=merge",
    "-p",
    status,
  ]);
  await untilAt([other]);
  const moved = await site.get("akrii", metadata.name);
  assert.deepEqual([moved.metadata.uid, moved.spec.nodes], [metadata.uid, [other]]);
  await site.kubectl(["delete", "akric", "lone"]);
});
