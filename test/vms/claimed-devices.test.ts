// Devices of claims: a driver says by attributes where its devices lie, and guests get those, or are refused by name.
// This machine has none of them, so a guest gets as far as to hear which one it should have had.
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FakeDriver } from "../../src/node/devices/fake-driver.ts";
import { eventually } from "../support/eventually.ts";
import { guestArgs, guestImage, guestPaths, importGuest, untilGuest } from "../support/guest.ts";
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
  site = await startSite("--vms", "--devices", "--name", "edge");
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

const instance = (name: string) => ({
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
          kernelArgs: guestArgs,
          container: {
            image: guestImage,
            kernelPath: guestPaths.kernel,
            initrdPath: guestPaths.initrd,
          },
        },
      },
      devices: { hostDevices: [{ name: "own", claimName: "it", requestName: "one" }] },
    },
  },
});

/** Quotes of what the runtime says are lost on its way. */
const untilFailed = (why: string) =>
  untilGuest(async () => {
    const { items } = await site.get("events", "--field-selector", "reason=Failed");
    return items.some(({ message }: any) => message.includes(why));
  }, why);

test("a guest is led to the device that its claim was given, and gives it back", async () => {
  await make(template("stick"), instance("stick"));
  await untilFailed("device own: there is no 99:7 on this machine");
  const [pod] = (await site.get("pods", "-l", "vm.kubevirt.io/name=stick")).items;
  assert.deepEqual(pod.spec.containers[0].resources.claims, [{ name: "it", request: "one" }]);
  const claim = pod.status.resourceClaimStatuses[0].resourceClaimName;
  await site.kubectl(["delete", "vmi", "stick"]);
  await eventually(async () => driver.calls.includes(`Unprepare ${claim}`), "its return");
});

test("a device that its driver does not place is refused by its name", async () => {
  await make(template("riddle"), instance("riddle"));
  await untilFailed("device own: riddle of driver sticks.example.com has no attribute");
  await site.kubectl(["delete", "vmi", "riddle"]);
});

test("a card that is not there is told by its address", async () => {
  await make(template("card"), instance("card"));
  await untilFailed("device own: there is no 0000:fe:1f.0 on this machine");
  await site.kubectl(["delete", "vmi", "card"]);
});

test("a device of no claim of the machine is refused by field", async () => {
  const wrong = instance("wrong");
  wrong.spec.resourceClaims = [];
  await assert.rejects(make(wrong), /hostDevices\[0\]\.claimName/);
});

test("a machine is the broker of a device: it comes with it, knows which it is, and goes with it", async () => {
  const { spec, ...kind } = instance("$(INSTANCE)");
  const { resourceClaims: _, ...machine } = spec;
  const word = "BROKER of $(DEBUG_ECHO_DESCRIPTION) by $(RESOURCE)";
  const userData = `#!/bin/sh\n(while sleep 1; do echo "${word}" >/dev/console; done) &\n`;
  const brokerTemplate = {
    ...kind,
    spec: {
      ...machine,
      domain: {
        ...machine.domain,
        devices: { disks: [{ name: "seed", disk: { bus: "virtio" } }] },
      },
      volumes: [{ name: "seed", cloudInitNoCloud: { userData } }],
    },
  };
  const discoveryHandler = { name: "debugEcho", discoveryDetails: "descriptions: [foo0]" };
  const akri = { apiVersion: "akri.sh/v0", kind: "Configuration", metadata: { name: "echo" } };
  await make({ ...akri, spec: { discoveryHandler, brokerSpec: { brokerTemplate } } });
  await eventually(async () => {
    const { items } = await site.get("events", "--field-selector", "reason=FailedCreate");
    return items.some(({ message }: any) => /system:akri-broker may not create/.test(message));
  }, "a refusal");
  const verbs = "--verb=create,patch,delete";
  const of = "--resource=virtualmachineinstances.kubevirt.io";
  await site.kubectl(["create", "clusterrole", "brokers", verbs, of]);
  const who = "--user=system:akri-broker";
  await site.kubectl(["create", "rolebinding", "brokers", "--clusterrole=brokers", who]);
  await site.kubectl(["label", "akrii", "--all", "look=again"]);
  const console = await untilGuest(
    () => VmConsole.open(site, "echo-8120fe").catch(() => undefined),
    "its console",
  );
  const told = "BROKER of foo0 by akri.sh/echo-8120fe";
  await untilGuest(async () => console.said.includes(told), "its word");
  console.close();
  writeFileSync(join(site.directory, "devices/debug-echo-availability.txt"), "OFFLINE");
  await untilGuest(async () => (await site.get("vmi")).items.length === 0, "no machine");
});
