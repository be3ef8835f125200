// Devices of claims: a driver says by attributes where its devices lie, and guests get those, or are refused by name.
// The devices are none: QEMU waits for a USB device that is not plugged in, and for nothing else.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FakeDriver } from "../../src/node/devices/fake-driver.ts";
import { eventually } from "../support/eventually.ts";
import { guestImage, guestPaths, importGuest, untilGuest } from "../support/guest.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { VmConsole } from "../support/vm-console.ts";

const driverName = "sticks.example.com";
const pci = "resource.kubernetes.io/pciBusID";

let site: Site;
let driver: FakeDriver;

const device = (name: string, attributes: object) => ({
  name,
  attributes: { ...attributes, kind: { string: name } },
});

before(async () => {
  site = await startSite("--vms", "--name", "edge");
  await importGuest(site);
  const own = join(site.directory, "kubelet");
  const isOwn = existsSync(join(own, "device-plugins/kubelet.sock"));
  const registry = join(isOwn ? own : "/var/lib/kubelet", "plugins_registry");
  driver = new FakeDriver({ registry, name: driverName, cdiDevices: [] });
  await driver.start();
  const slice = {
    ...{ apiVersion: "resource.k8s.io/v1", kind: "ResourceSlice", metadata: { name: "sticks" } },
    spec: {
      ...{ driver: driverName, nodeName: "edge" },
      pool: { name: "edge", generation: 1, resourceSliceCount: 1 },
      devices: [
        device("stick", { usbBus: { int: 99 }, usbDevice: { int: 7 } }),
        device("card", { [pci]: { string: "0000:fe:1f.0" } }),
        device("riddle", {}),
      ],
    },
  };
  const deviceClass = {
    ...{ apiVersion: "resource.k8s.io/v1", kind: "DeviceClass", metadata: { name: "sticks" } },
    spec: { selectors: [{ cel: { expression: `device.driver == "${driverName}"` } }] },
  };
  await make(slice, deviceClass);
});
after(async () => {
  await site?.remove();
  driver?.stop();
});

const make = (...objects: object[]) =>
  site.apply(JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));

const template = (name: string) => ({
  apiVersion: "resource.k8s.io/v1",
  kind: "ResourceClaimTemplate",
  metadata: { name },
  spec: {
    spec: {
      devices: {
        requests: [
          {
            name: "one",
            exactly: {
              deviceClassName: "sticks",
              selectors: [
                { cel: { expression: `device.attributes["${driverName}"].kind == "${name}"` } },
              ],
            },
          },
        ],
      },
    },
  },
});

const instance = (name: string, domain: object = {}) => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachineInstance",
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 0,
    resourceClaims: [{ name: "it", resourceClaimTemplateName: name }],
    domain: {
      memory: { guest: "112Mi" },
      firmware: {
        kernelBoot: {
          kernelArgs: "console=ttyS0 quiet",
          container: {
            image: guestImage,
            kernelPath: guestPaths.kernel,
            initrdPath: guestPaths.initrd,
          },
        },
      },
      devices: { hostDevices: [{ name: "own", claimName: "it", requestName: "one" }] },
      ...domain,
    },
  },
});

/** The command lines of QEMU of this machine. */
const commandLines = () =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")];
      } catch {
        return [];
      }
    });

test("a guest has the device that its claim was given, and gives it back", async () => {
  const vmi = instance("stick", { cpu: { cores: 2 } });
  Object.assign(vmi.spec.domain.devices, { networkInterfaceMultiqueue: true });
  await make(template("stick"), vmi);
  await untilGuest(async () => {
    const { status } = await site.get("vmi", "stick");
    return status?.phase === "Running";
  }, "the guest");
  const words = commandLines().find((all) => all.includes("guest=default_stick"))!;
  const given = words.filter((word) => word.startsWith("{")).map((word) => JSON.parse(word));
  const { hostbus, hostaddr } = given.find(({ driver: kind }) => kind === "usb-host");
  assert.deepEqual([hostbus, hostaddr], [99, 7]);
  const [pod] = (await site.get("pods", "-l", "vm.kubevirt.io/name=stick")).items;
  assert.deepEqual(pod.spec.containers[0].resources.claims, [{ name: "it", request: "one" }]);
  const console = await VmConsole.open(site, "stick");
  await untilGuest(async () => console.said.includes("GUEST ready"), "its console");
  console.type("ls /sys/class/net/eth0/queues");
  await untilGuest(async () => /rx-0\s+rx-1\s+tx-0\s+tx-1/.test(console.said), "two queues");
  console.close();
  const claim = pod.status.resourceClaimStatuses[0].resourceClaimName;
  await site.kubectl(["delete", "vmi", "stick"]);
  await eventually(async () => driver.calls.includes(`Unprepare ${claim}`), "its return");
});

test("a device that its driver does not place is refused by its name", async () => {
  await make(template("riddle"), instance("riddle"));
  const { message } = await untilGuest(async () => {
    const { items } = await site.get("events", "--field-selector", "reason=Failed");
    return items.find((one: any) => one.message.includes("riddle of driver"));
  }, "the refusal");
  assert.match(message, /device own: riddle of driver sticks\.example\.com has no attribute/);
  await site.kubectl(["delete", "vmi", "riddle"]);
});

test("a card that is not there ends its guest, and says which it was", async () => {
  await make(template("card"), instance("card"));
  await untilGuest(async () => {
    const { status } = await site.get("vmi", "card");
    return status?.phase === "Failed";
  }, "the end");
  const { items } = await site.get("pods", "-l", "vm.kubevirt.io/name=card");
  const said = await site.kubectl(["logs", items[0].metadata.name]);
  assert.match(said, /0000:fe:1f\.0/);
});

test("a device of no claim of the machine is refused by field", async () => {
  const wrong = instance("wrong");
  wrong.spec.resourceClaims = [];
  await assert.rejects(make(wrong), /hostDevices\[0\]\.claimName/);
});
