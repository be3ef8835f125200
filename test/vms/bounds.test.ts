// Guests that do not behave, machines that cannot be where they are asked for, and sets that follow their load.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { guestArgs, guestImage, guestPaths, importGuest, untilGuest } from "../support/guest.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
before(async () => {
  site = await startSite("--vms");
  await importGuest(site);
});
after(() => site?.remove());

const specOf = (more: {
  memory?: string;
  devices?: object;
  volumes?: object[];
  guest?: string;
}) => ({
  terminationGracePeriodSeconds: 4,
  domain: {
    memory: { guest: more.memory ?? "112Mi" },
    devices: more.devices ?? {},
    firmware: {
      kernelBoot: {
        kernelArgs: `${guestArgs} ${more.guest ?? ""}`,
        container: {
          image: guestImage,
          kernelPath: guestPaths.kernel,
          initrdPath: guestPaths.initrd,
        },
      },
    },
  },
  volumes: more.volumes ?? [],
});

const instance = (name: string, more: Parameters<typeof specOf>[0]) => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachineInstance",
  metadata: { name, labels: { app: name } },
  spec: specOf(more),
});

const make = (...items: object[]) =>
  site.apply(JSON.stringify({ apiVersion: "v1", kind: "List", items }));
const logOf = (name: string) =>
  site.kubectl(["logs", "-l", `app=${name}`, "--tail=-1"]).catch(() => "");
const untilUp = (name: string) =>
  untilGuest(async () => (await logOf(name)).includes("GUEST ready"), `${name} is up`);
const messages = async () => site.kubectl(["get", "events", "-o", "jsonpath={.items[*].message}"]);

test("a guest that ignores its power button ends with its grace", async () => {
  await make(instance("stubborn", { guest: "powerdown=ignore" }));
  await untilUp("stubborn");
  await site.kubectl(["delete", "vmi", "stubborn", "--timeout=120s"]);
  const { items } = await site.get("pods", "-l", "app=stubborn");
  assert.deepEqual(items, []);
});

test("a guest starts whatever its cloud-init says", async () => {
  const userData = "#!/bin/sh\nif [ \n {{{";
  await make(
    instance("broken", {
      devices: { disks: [{ name: "seed", disk: { bus: "virtio" } }] },
      volumes: [{ name: "seed", cloudInitNoCloud: { userData, networkData: "version: [" } }],
    }),
  );
  await untilUp("broken");
  await site.kubectl(["delete", "vmi", "broken", "--wait=false"]);
});

test("what the machine does not have is said by name: room, vsock, a device", async () => {
  await make(instance("big", { memory: "900Gi" }));
  await make(instance("vsock", { devices: { autoattachVSOCK: true } }));
  const hostDevices = [{ name: "a", deviceName: "example.com/card" }];
  await assert.rejects(make(instance("card", { devices: { hostDevices } })), /is not permitted in/);
  await untilGuest(async () => {
    const { status } = await site.get("vmi", "big");
    return status.conditions?.some((one: any) => /Insufficient memory/.test(one.message));
  }, "why it is not scheduled");
  await untilGuest(
    async () => (await messages()).includes("autoattachVSOCK: this node has no /dev/vhost-vsock"),
    "why it does not start",
  );
  await site.kubectl(["delete", "vmi", "big", "vsock", "--wait=false"]);
});

test("a set of instances grows with what its guests use", async () => {
  const metadata = { name: "set" };
  await make(
    {
      apiVersion: "kubevirt.io/v1",
      kind: "VirtualMachineInstanceReplicaSet",
      metadata,
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: "set" } },
        template: { metadata: { labels: { app: "set" } }, spec: specOf({}) },
      },
    },
    {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata,
      spec: {
        scaleTargetRef: {
          ...{
            apiVersion: "kubevirt.io/v1",
            kind: "VirtualMachineInstanceReplicaSet",
            name: "set",
          },
        },
        minReplicas: 1,
        maxReplicas: 2,
        metrics: [
          {
            type: "Resource",
            resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 1 } },
          },
        ],
      },
    },
  );
  await untilGuest(async () => (await site.get("vmirs", "set")).status?.replicas === 2, "a second");
});
