// A volume with a copy on two nodes: the VM that writes to it comes up on the other one with all that it was told to
// be written when its node is lost, and the copy there is made current again when the node is back.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { guestArchive, guestArgs, guestImage, guestPaths, untilGuest } from "../support/guest.ts";
import { Machine } from "../support/machine.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { VmConsole } from "../support/vm-console.ts";

let site: Site;
const machine = new Machine();
const [blockBytes, blocks] = [512, 1000];
const name = "writer";

before(async () => {
  await machine.start();
  site = await startSite("--vms", "--name", "first", "--listen", machine.hostAddress);
  const words = await site.joinWords();
  await machine.join(...words, "--name", "second", "--vms");
  const archive = join(site.directory, "guest.tar");
  writeFileSync(archive, guestArchive());
  await site.kerb("image", "import", archive);
  await machine.kerb("image", "import", archive);
});
after(async () => {
  await machine.remove();
  await site.remove();
});

const claim = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data" },
  spec: {
    storageClassName: "kerb-replicated",
    accessModes: ["ReadWriteOnce"],
    resources: { requests: { storage: "16Mi" } },
  },
};

const virtualMachine = (called: string) => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachine",
  metadata: { name: called },
  spec: {
    runStrategy: "Always",
    template: {
      metadata: { labels: { app: called } },
      spec: {
        terminationGracePeriodSeconds: 20,
        domain: {
          memory: { guest: "112Mi" },
          devices: { disks: [{ name: "data", disk: { bus: "virtio" } }] },
          firmware: {
            kernelBoot: {
              kernelArgs: `${guestArgs} run=write`,
              container: {
                image: guestImage,
                kernelPath: guestPaths.kernel,
                initrdPath: guestPaths.initrd,
              },
            },
          },
        },
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              {
                weight: 100,
                preference: {
                  matchFields: [{ key: "metadata.name", operator: "In", values: ["second"] }],
                },
              },
            ],
          },
        },
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
      },
    },
  },
});

const make = (...items: object[]) =>
  site.apply(JSON.stringify({ apiVersion: "v1", kind: "List", items }));
const vmi = () => site.get("vmi", name);

const places = { first: () => site.directory, second: () => machine.directory };
type Place = keyof typeof places;

/** What the guest said on a node, through all of its pods there. */
function said(place: Place): string {
  const logs = join(places[place](), "logs");
  return readdirSync(logs)
    .filter((folder) => folder.includes(`virt-launcher-${name}-`))
    .map((folder) => {
      try {
        return readFileSync(join(logs, folder, "compute/0.log"), "utf8");
      } catch {
        return "";
      }
    })
    .join("\n");
}
const written = (place: Place) =>
  [...said(place).matchAll(/GUEST wrote (\d+)/g)].map(([, n]) => Number(n)).sort((a, b) => a - b);
const found = (place: Place) =>
  [...said(place).matchAll(/GUEST found (\d+)/g)].map(([, n]) => Number(n));
const untilWrites = (place: Place) => {
  const before = written(place).length;
  return untilGuest(async () => written(place).length > before + 10, `writes on ${place}`);
};

let volume: string;

/** What was acknowledged to the guest anywhere, and is not in the copy on a node. */
function lost(place: Place): number[] {
  const all = [...written("first"), ...written("second")].sort((a, b) => a - b);
  const newest = new Map(all.map((n) => [n % blocks, n]));
  const data = readFileSync(join(places[place](), "volumes", volume, "disk.img"));
  return [...newest].flatMap(([at, n]) => {
    const text = data.toString("latin1", at * blockBytes, (at + 1) * blockBytes);
    const [, line = "", sum] = /^(\d{8}) ([0-9a-f]{8})/.exec(text) ?? [];
    const right = createHash("md5").update(line).digest("hex").slice(0, 8);
    return sum === right && Number(line) >= n ? [] : [n];
  });
}

const record = async () => (await site.get("replicatedvolumes", volume)).status;
const areCurrent = (nodes: string) => async () => {
  const { current } = await record();
  return current.split(",").sort().join(",") === nodes;
};
const why = async () =>
  `${JSON.stringify(await record())}\n${await site.kubectl(["get", "events,pods", "-o", "wide"])}`;
const untilCurrent = (nodes: string) =>
  untilGuest(areCurrent(nodes), `current: ${nodes}`).catch(async (error) => {
    throw new Error(`${error.message}\n${await why()}`);
  });

/** Ends QEMU's programs of a node, as a power cut does. */
function cutPower(place: Place, program: RegExp) {
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      const cgroup = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
      if (program.test(command) && cgroup.includes(places[place]()))
        process.kill(Number(pid), "SIGKILL");
    } catch {
      // It ended.
    }
  }
}

test("a VM writes to two copies, on nodes that hold all of it", async () => {
  await make(claim);
  await untilGuest(
    async () => (await site.get("pvc", "data")).status?.phase === "Bound",
    "the claim",
  );
  volume = (await site.get("pvc", "data")).spec.volumeName;
  await eventually(async () => {
    const { items } = await site.get("pods", "-l", `vms.kerb.dev/replica-of=${volume}`);
    return items.length === 2 && items.every(({ status }: any) => status.phase === "Running");
  }, "the copies' pods");
  await make(virtualMachine(name));
  await untilWrites("second").catch(async (error) => {
    throw new Error(`${error.message}\n${await why()}`);
  });
  await untilCurrent("first,second");
  await untilWrites("second");
  assert.deepEqual(lost("first"), []);
});

test("a second VM with the same claim waits, and says for whom", async () => {
  await make(virtualMachine("second-writer"));
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
    const boots = said(to).split("GUEST up").length;
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
      throw new Error(`${error.message}\n${await why()}`);
    });
    await untilWrites(to).catch(async (error) => {
      throw new Error(`${error.message}\n${await why()}`);
    });
    assert.equal(said(to).split("GUEST up").length, boots, "it did not boot again");
    await untilCurrent("first,second");
    await untilWrites(to);
    assert.deepEqual([...lost("first"), ...lost("second")], []);
    assert.equal((await vmi()).status.nodeName, to);
  }
});

test("its disk grows with the claim, on both nodes, while it runs", async () => {
  const spec = { resources: { requests: { storage: "24Mi" } } };
  await site.kubectl(["patch", "pvc", "data", "--type=merge", "-p", JSON.stringify({ spec })]);
  await untilGuest(async () => {
    const { status } = await site.get("pvc", "data");
    return status.capacity.storage === "24Mi";
  }, "the larger claim");
  await untilCurrent("first,second");
  await untilWrites("second");
  const console = await VmConsole.open(site, name);
  console.type("cat /sys/block/vda/size");
  await untilGuest(async () => /^49152\r?$/m.test(console.said), "the larger disk");
  console.close();
  for (const place of ["first", "second"] as const) {
    assert.equal(statSync(join(places[place](), "volumes", volume, "disk.img")).size, 24 * 2 ** 20);
    assert.deepEqual(lost(place), []);
  }
});

test("when its node is lost, the VM comes up on the other with all that was acknowledged", async () => {
  await machine.kill();
  cutPower("second", /qemu-system|qemu-storage-daemon/);
  const last = written("second").at(-1)!;
  assert.deepEqual(lost("first"), []);
  await untilGuest(async () => {
    const { status } = await site.get("node", "second");
    return status.conditions.some((one: any) => one.type === "Ready" && one.status !== "True");
  }, "the node is missed");
  const taint = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute";
  await site.kubectl(["taint", "node", "second", taint]);
  await untilGuest(async () => found("first").length > 0, "the guest on first").catch(
    async (error) => {
      throw new Error(`${error.message}\n${await why()}`);
    },
  );
  assert.ok(found("first").at(-1)! >= last, `${found("first").at(-1)} of ${last}`);
  await untilWrites("first");
  assert.equal((await vmi()).status.nodeName, "first");
  assert.equal((await record()).current, "first");
});

test("when the node is back its copy is made current, and the VM may come up there", async () => {
  await site.kubectl(["taint", "node", "second", "node.kubernetes.io/out-of-service-"]);
  await machine.join("--vms");
  await untilCurrent("first,second");
  await untilWrites("first");
  await site.kubectl(["cordon", "first"]);
  cutPower("first", /qemu-system/);
  const last = written("first").at(-1)!;
  assert.deepEqual(lost("second"), []);
  const before = found("second").length;
  await untilGuest(async () => found("second").length > before, "the guest on second").catch(
    async (error) => {
      throw new Error(`${error.message}\n${await why()}`);
    },
  );
  assert.ok(found("second").at(-1)! >= last, `${found("second").at(-1)} of ${last}`);
  await site.kubectl(["uncordon", "first"]);
  await untilCurrent("first,second");
});

test("after a clean end the VM starts elsewhere without a copy, and its volume goes with the claim", async () => {
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
  const before = found("first").length;
  await untilGuest(async () => found("first").length > before, "the guest on first");
  await site.kubectl(["delete", "vm", name, "--timeout=120s"]);
  await site.kubectl(["delete", "pvc", "data", "--timeout=120s"]);
  await eventually(async () => {
    const { items } = await site.get("replicatedvolumes");
    return items.length === 0;
  }, "the volume is gone");
  for (const place of ["first", "second"] as const) {
    assert.equal(readdirSync(join(places[place](), "volumes")).includes(volume), false);
  }
});
