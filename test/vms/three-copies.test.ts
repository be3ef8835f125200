// A volume with a copy on three nodes, of which one after another is lost: the VM has all that it was told to be
// written as long as one current copy is left, and the others are made current again when they are back.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { guestArchive, untilGuest } from "../support/guest.ts";
import { Machine } from "../support/machine.ts";
import { ReplicatedWriter, replicatedClaim, writingMachine } from "../support/replicated-writer.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
let writer: ReplicatedWriter;
const machines = { second: new Machine(), third: new Machine() };
const all = ["first", "second", "third"];
const outOfService = "node.kubernetes.io/out-of-service";

before(async () => {
  const both = Object.values(machines);
  for (const machine of both) await machine.start();
  const listen = both.flatMap(({ hostAddress }) => ["--listen", hostAddress]);
  site = await startSite("--vms", "--name", "first", "--pod-network", "vxlan", ...listen);
  const archive = join(site.directory, "guest.tar");
  writeFileSync(archive, guestArchive());
  await site.kerb("image", "import", archive);
  const [server, ...secrets] = (await site.joinWords()) as [string];
  for (const [name, machine] of Object.entries(machines)) {
    const at = `https://${machine.hostAddress}:${new URL(server).port}`;
    await machine.join(at, ...secrets, "--name", name, "--vms");
    await machine.kerb("image", "import", archive);
  }
  writer = new ReplicatedWriter({ name: "writer", claim: "data" }, site, {
    first: site.directory,
    second: machines.second.directory,
    third: machines.third.directory,
  });
});
after(async () => {
  for (const machine of Object.values(machines)) await machine.remove();
  await site.remove();
});

const make = (...items: object[]) =>
  site.apply(JSON.stringify({ apiVersion: "v1", kind: "List", items }));

const hasAll = (...nodes: string[]) => {
  for (const node of nodes) assert.deepEqual(writer.lost(node), [], `the copy on ${node}`);
};

async function lose(node: keyof typeof machines) {
  await machines[node].kill();
  writer.cutPower(node);
}

async function bringBack(node: keyof typeof machines) {
  await site.kubectl(["taint", "node", node, `${outOfService}-`]).catch(() => {});
  await machines[node].join("--vms");
}

test("a VM writes to three copies, on nodes that hold all of it", async () => {
  await make(
    {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: "thrice" },
      provisioner: "kerb.dev/replicated",
      parameters: { replicas: "3" },
      allowVolumeExpansion: true,
    },
    replicatedClaim("data", "thrice"),
  );
  await writer.untilKept(3);
  await make(writingMachine("writer", "data", ["second", "first"]));
  await writer.untilWrites("second");
  await writer.untilCurrent(...all);
  await writer.untilWrites("second");
  hasAll("first", "third");
});

test("a copy that is lost does not stop it, and is current again when it is back", async () => {
  await lose("third");
  await writer.untilCurrent("first", "second");
  await writer.untilWrites("second");
  hasAll("first");
  await bringBack("third");
  await writer.untilCurrent(...all);
  await writer.untilWrites("second");
  hasAll("first", "third");
  const events = await site.kubectl(["get", "events", "-o", "jsonpath={.items[*].message}"]);
  const [told, bytes] = /the copy on third gets what changed \D*(\d+) bytes/.exec(events) ?? [];
  assert.ok(Number(bytes) < 2 ** 20, told ?? events);
});

test("when its node is lost it comes up at another copy, and then it loses that one's companion", async () => {
  await lose("second");
  const last = writer.written("second").at(-1)!;
  hasAll("first", "third");
  await untilGuest(async () => {
    const { status } = await site.get("node", "second");
    return status.conditions.some((one: any) => one.type === "Ready" && one.status !== "True");
  }, "the node is missed");
  await site.kubectl(["taint", "node", "second", `${outOfService}=nodeshutdown:NoExecute`]);
  const found = await writer.untilFound("first", 0);
  assert.ok(found >= last, `${found} of ${last}`);
  await writer.untilCurrent("first", "third");
  await writer.untilWrites("first");
  hasAll("third");
  await lose("third");
  await writer.untilCurrent("first");
  await writer.untilWrites("first");
});

test("both are back and current, and the VM starts at one of them with all", async () => {
  for (const node of ["second", "third"] as const) await bringBack(node);
  await writer.untilCurrent(...all);
  await writer.untilWrites("first");
  hasAll("second", "third");
  await site.kubectl(["cordon", "first"]);
  const before = writer.found("second").length;
  writer.cutPower("first", /qemu-system/);
  const last = writer.written("first").at(-1)!;
  const found = await writer.untilFound("second", before);
  assert.ok(found >= last, `${found} of ${last}`);
  await site.kubectl(["uncordon", "first"]);
  await writer.untilCurrent(...all);
});

test("it moves between three copies while it runs", async () => {
  await make({
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachineInstanceMigration",
    metadata: { name: "away" },
    spec: { vmiName: "writer" },
  });
  await untilGuest(async () => {
    const { status } = await site.get("vmim", "away");
    if (status?.phase === "Failed") throw new Error(JSON.stringify(status));
    return status?.phase === "Succeeded";
  }, "the move");
  const { nodeName } = (await writer.vmi()).status;
  await writer.untilWrites(nodeName);
  await writer.untilCurrent(...all);
  await writer.untilWrites(nodeName);
  hasAll(...all);
  const [other] = (["second", "third"] as const).filter((node) => node !== nodeName);
  await lose(other!);
  await writer.untilCurrent(...all.filter((node) => node !== other));
  await bringBack(other!);
  await writer.untilCurrent(...all);
});

test("its copies go with the claim", async () => {
  await site.kubectl(["delete", "vm", "writer", "--timeout=120s"]);
  await site.kubectl(["delete", "pvc", "data", "--timeout=120s"]);
  await eventually(async () => {
    const { items } = await site.get("replicatedvolumes");
    return items.length === 0;
  }, "the volume is gone");
});
