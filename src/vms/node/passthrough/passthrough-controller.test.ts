import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startMachines, until } from "../../../../test/support/machines.ts";
import { resource } from "../../../client/client.ts";
import { Informers } from "../../../client/informers.ts";
import { startControllers } from "../../../controllers/runtime.ts";
import { systemClock } from "../../../lib/clock.ts";
import { silent } from "../../../lib/log.ts";
import { systemRandom } from "../../../lib/random.ts";
import { Scope } from "../../../lib/scope.ts";
import { kubeVirts } from "../../kinds/resources.ts";
import { Passthrough } from "./passthrough-controller.ts";
import type { HostPlugin } from "./plugin.ts";

const kubeVirt = { ...kubeVirts, namespace: "kubevirt", name: "kubevirt" };

test("a node offers what the installation permits, sees a card that VFIO took since, and takes back what is permitted no more", async () => {
  const { client, close } = await startMachines();
  const scope = new Scope();
  const machine = mkdtempSync(join(tmpdir(), "kerb-machine-"));
  const paths = { sys: join(machine, "sys"), dev: join(machine, "dev") };
  const card = join(paths.sys, "bus/pci/devices/0000:01:00.0");
  mkdirSync(card, { recursive: true });
  mkdirSync(join(paths.dev, "vfio"), { recursive: true });
  for (const [file, text] of Object.entries({ vendor: "0x8086", device: "0x10d3", class: "0x02" }))
    writeFileSync(join(card, file), text);
  symlinkSync("/drivers/e1000e", join(card, "driver"));
  symlinkSync("/groups/9", join(card, "iommu_group"));
  const plugins = new Map<string, HostPlugin>();
  const host = {
    add: (plugin: HostPlugin) => {
      plugins.set(plugin.resourceName, plugin);
      return () => void plugins.delete(plugin.resourceName);
    },
  };
  const idsOf = (name: string) =>
    plugins
      .get(name)
      ?.devices()
      .map(({ id }) => id);
  const permit = (pciHostDevices: object[]) =>
    client.patch(kubeVirt, "merge", {
      spec: { configuration: { permittedHostDevices: { pciHostDevices } } },
    });
  try {
    const world = { clock: systemClock, random: systemRandom, log: silent, scope };
    const informers = new Informers({ client, ...world });
    const { controller } = new Passthrough({ node: "box", host, paths });
    const discover = async () => [];
    await startControllers([controller], { client, informers, discover, ...world });
    await permit([{ resourceName: "example.com/nic", pciVendorSelector: "8086:10D3" }]);
    await until(async () => {
      const events = { ...resource("v1", "events"), namespace: "default" };
      const { items } = await client.list(events);
      const told = items.find(({ reason }: any) => reason === "HostDeviceWithheld") as any;
      assert.match(told.message, /^0000:01:00\.0 is not offered .*: its driver is e1000e/);
      assert.equal(told.involvedObject.name, "box");
    });
    assert.equal(plugins.size, 0);
    rmSync(join(card, "driver"));
    symlinkSync("/drivers/vfio-pci", join(card, "driver"));
    writeFileSync(join(paths.dev, "vfio/9"), "");
    await until(async () => assert.deepEqual(idsOf("example.com/nic"), ["0000:01:00.0"]));
    rmSync(card, { recursive: true });
    rmSync(join(paths.dev, "vfio/9"));
    await until(async () => assert.deepEqual(idsOf("example.com/nic"), []));
    await permit([]);
    await until(async () => assert.equal(plugins.size, 0));
  } finally {
    await scope.close();
    await close();
    rmSync(machine, { recursive: true });
  }
});
