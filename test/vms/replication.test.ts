// A volume with a copy on two nodes: the VM that writes to it comes up on the other one with all that it was told to
// be written when its node is lost, and the copy there is made current again when the node is back.
import assert from "node:assert/strict";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { guestArchive, untilGuest } from "../support/guest.ts";
import { Machine } from "../support/machine.ts";
import { ReplicatedWriter, replicatedClaim, writingMachine } from "../support/replicated-writer.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { VmConsole } from "../support/vm-console.ts";

let site: Site;
let writer: ReplicatedWriter;
const machine = new Machine();
const name = "writer";
const nodes = ["first", "second"];

before(async () => {
  await machine.start();
  site = await startSite("--vms", "--name", "first", "--listen", machine.hostAddress);
  const words = await site.joinWords();
  await machine.join(...words, "--name", "second", "--vms");
  const archive = join(site.directory, "guest.tar");
  writeFileSync(archive, guestArchive());
  await site.kerb("image", "import", archive);
  await machine.kerb("image", "import", archive);
  const folders = { first: site.directory, second: machine.directory };
  writer = new ReplicatedWriter({ name, claim: "data" }, site, folders);
});
after(async () => {
  await machine.remove();
  await site.remove();
});

const make = (...items: object[]) =>
  site.apply(JSON.stringify({ apiVersion: "v1", kind: "List", items }));

test("a VM writes to two copies, on nodes that hold all of it", async () => {
  await make(replicatedClaim("data", "kerb-replicated"));
  await writer.untilKept(2);
  await make(writingMachine(name, "data", ["second"]));
  await writer.untilWrites("second");
  await writer.untilCurrent(...nodes);
  await writer.untilWrites("second");
  assert.deepEqual(writer.lost("first"), []);
});

test("a second VM with the same claim waits, and says for whom", async () => {
  await make(writingMachine("second-writer", "data", ["second"]));
  await eventually(async () => {
    const events = await site.kubectl(["get", "events", "-o", "jsonpath={.items[*].message}"]);
    return /virt-launcher-writer-\w+ uses it/.test(events);
  }, "the reason");
  const { items } = await site.get("pods", "-l", "app=second-writer");
  assert.deepEqual(items[0].spec.schedulingGates, [{ name: "vms.kerb.dev/replicated-volume" }]);
  await site.kubectl(["delete", "vm", "second-writer"]);
});

test("it moves to the other copy while it runs, and back", async () => {
  for (const to of ["first", "second"] as const) {
    const boots = writer.said(to).split("GUEST up").length;
    await make({
      apiVersion: "kubevirt.io/v1",
      kind: "VirtualMachineInstanceMigration",
      metadata: { name: `to-${to}` },
      spec: { vmiName: name },
    });
    await untilGuest(async () => {
      const { status } = await site.get("vmim", `to-${to}`);
      if (status?.phase === "Failed") throw new Error(JSON.stringify(status));
      return status?.phase === "Succeeded";
    }, `the move to ${to}`).catch(async (error) => {
      throw new Error(`${error.message}\n${await writer.why()}`);
    });
    await writer.untilWrites(to);
    assert.equal(writer.said(to).split("GUEST up").length, boots, "it did not boot again");
    await writer.untilCurrent(...nodes);
    await writer.untilWrites(to);
    assert.deepEqual(
      nodes.flatMap((node) => writer.lost(node)),
      [],
    );
    assert.equal((await writer.vmi()).status.nodeName, to);
  }
});

test("its disk grows with the claim, on both nodes, while it runs", async () => {
  const spec = { resources: { requests: { storage: "24Mi" } } };
  await site.kubectl(["patch", "pvc", "data", "--type=merge", "-p", JSON.stringify({ spec })]);
  await untilGuest(async () => {
    const { status } = await site.get("pvc", "data");
    return status.capacity.storage === "24Mi";
  }, "the larger claim");
  await writer.untilCurrent(...nodes);
  await writer.untilWrites("second");
  const console = await VmConsole.open(site, name);
  console.type("cat /sys/block/vda/size");
  await untilGuest(async () => /^49152\r?$/m.test(console.said), "the larger disk");
  console.close();
  for (const place of nodes) {
    assert.equal(statSync(writer.disk(place)).size, 24 * 2 ** 20);
    assert.deepEqual(writer.lost(place), []);
  }
});

test("when its node is lost, the VM comes up on the other with all that was acknowledged", async () => {
  await machine.kill();
  writer.cutPower("second");
  const last = writer.written("second").at(-1)!;
  assert.deepEqual(writer.lost("first"), []);
  await untilGuest(async () => {
    const { status } = await site.get("node", "second");
    return status.conditions.some((one: any) => one.type === "Ready" && one.status !== "True");
  }, "the node is missed");
  const taint = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute";
  await site.kubectl(["taint", "node", "second", taint]);
  const found = await writer.untilFound("first", 0);
  assert.ok(found >= last, `${found} of ${last}`);
  await writer.untilWrites("first");
  assert.equal((await writer.vmi()).status.nodeName, "first");
  assert.equal((await writer.record()).current, "first");
});

test("when all lose power at once the newer copy is started from, wherever the VM likes to be", async () => {
  process.kill(site.pid, "SIGKILL");
  writer.cutPower("first");
  const last = writer.written("first").at(-1)!;
  assert.notDeepEqual(writer.lost("second"), []);
  assert.deepEqual(writer.lost("first"), []);
  await site.up("--vms", "--name", "first", "--listen", machine.hostAddress);
  await site.kubectl(["taint", "node", "second", "node.kubernetes.io/out-of-service-"]);
  await machine.join("--vms");
  // The logs of the pod before may be gone by then.
  const isThere = async () => writer.found("first").some((found) => found >= last);
  await untilGuest(isThere, `a guest that finds ${last} on first`);
  assert.equal(writer.found("second").length, 0);
  await writer.untilWrites("first");
});

test("when the node is back its copy is made current, and the VM may come up there", async () => {
  await writer.untilCurrent(...nodes);
  await writer.untilWrites("first");
  await site.kubectl(["cordon", "first"]);
  writer.cutPower("first", /qemu-system/);
  const last = writer.written("first").at(-1)!;
  assert.deepEqual(writer.lost("second"), []);
  const found = await writer.untilFound("second", writer.found("second").length);
  assert.ok(found >= last, `${found} of ${last}`);
  await site.kubectl(["uncordon", "first"]);
  await writer.untilCurrent(...nodes);
});

test("after a clean end the VM starts elsewhere without a copy, and its volume goes with the claim", async () => {
  const before = writer.found("first").length;
  await site
    .kubectl([
      "drain",
      "second",
      "--ignore-daemonsets",
      "--delete-emptydir-data",
      "--force",
      "--timeout=120s",
    ])
    .catch(() => {});
  await writer.untilFound("first", before);
  await site.kubectl(["delete", "vm", name, "--timeout=120s"]);
  await site.kubectl(["delete", "pvc", "data", "--timeout=120s"]);
  await eventually(async () => {
    const { items } = await site.get("replicatedvolumes");
    return items.length === 0;
  }, "the volume is gone");
  for (const { directory } of [site, machine]) {
    const left = readdirSync(join(directory, "volumes"));
    assert.deepEqual(
      left.filter((name) => name.includes(writer.volume)),
      [],
    );
  }
});

test("a node that comes back without machines is none for them any more", async () => {
  await machine.kill();
  await machine.join();
  await eventually(async () => {
    const { metadata } = await site.get("node", "second");
    return !("kubevirt.io/schedulable" in metadata.labels);
  }, "the label is gone");
});
