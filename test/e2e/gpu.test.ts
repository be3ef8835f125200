// A GPU is found by its driver's files, chosen by what it has, shared by two pods and given back. The card is none:
// its driver's files are there, and nothing answers behind its nodes.
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { GpuMachine } from "../support/gpu-machine.ts";
import { importBusybox } from "../support/image.ts";
import { freePort, Site } from "../support/site.ts";

const big = {
  address: "0000:17:00.0",
  uuid: "GPU-5f5a69c2-e0ae-504f-829b-00fcdab169cc",
  mib: 143_771,
};
const small = {
  address: "0000:3b:00.0",
  uuid: "GPU-11111111-2222-3333-4444-555555555555",
  mib: 8192,
};

const machine = new GpuMachine();
let site: Site;

before(async () => {
  await machine.start([big, small]);
  const directory = mkdtempSync(join(tmpdir(), "kerb-site-"));
  site = new Site(directory, await freePort(), machine.inside);
  await site.up("--name", "render", "--devices");
  await importBusybox(site);
  await site.apply(`
apiVersion: akri.sh/v0
kind: Configuration
metadata: {name: gpus}
spec:
  discoveryHandler: {name: gpu, discoveryDetails: "intervalSeconds: 1"}
  capacity: 2
`);
});
after(async () => {
  await site.remove();
  await machine.remove();
});

const pod = (name: string, spec: string, resources: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 0
  ${spec}
  containers:
  - name: main
    image: docker.io/library/busybox:kerb
    command: [sleep, "1000"]
    resources: ${resources}
`;

const say = (name: string, script: string) =>
  site.kubectl(["exec", name, "--", "sh", "-c", `${script} 2>&1 || true`]);

const untilRunning = (...names: string[]) =>
  site.kubectl([
    "wait",
    "--for=condition=Ready",
    "--timeout=120s",
    ...names.map((n) => `pod/${n}`),
  ]);

const cardsNow = async (): Promise<any[]> => {
  const { items } = await site.get("akrii");
  return items.sort((a: any, b: any) => {
    return b.spec.brokerProperties.GPU_MEMORY_BYTES - a.spec.brokerProperties.GPU_MEMORY_BYTES;
  });
};

test("cards are found with model and memory, and offered as resources and in slices", async () => {
  const found = await eventually(async () => {
    const cards = await cardsNow();
    return cards.length === 2 && cards;
  }, "two cards");
  const { GPU_MODEL, GPU_MEMORY_BYTES, GPU_UUID } = found[0].spec.brokerProperties;
  assert.deepEqual([GPU_MODEL, GPU_UUID], ["NVIDIA H200", big.uuid]);
  assert.equal(Number(GPU_MEMORY_BYTES), big.mib * 2 ** 20);
  await eventually(async () => {
    const { allocatable } = (await site.get("node", "render")).status;
    return allocatable["akri.sh/gpus"] === "2";
  }, "one of each card is offered");
  const slices = await eventually(async () => {
    const { items } = await site.get("resourceslices");
    return items.length === 2 && items;
  }, "slices");
  assert.ok(slices.every(({ spec }: any) => spec.devices.length === 2));
});

test("two pods share the card that has the memory they ask for, and see its nodes and library", async () => {
  await site.apply(`
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: much-memory}
spec:
  spec:
    devices:
      requests:
      - name: gpu
        exactly:
          deviceClassName: akri.sh
          selectors:
          - cel:
              expression: >-
                device.attributes["akri.sh"].GPU_VENDOR == "nvidia" &&
                device.capacity["akri.sh"].memory.compareTo(quantity("100Gi")) > 0
`);
  const claims = "resourceClaims: [{name: gpu, resourceClaimTemplateName: much-memory}]";
  const names = ["first", "second", "third"];
  const resources = "{claims: [{name: gpu}]}";
  await site.apply(names.map((name) => pod(name, claims, resources)).join("---"));
  const running = await eventually(async () => {
    const { items } = await site.get("pods");
    const up = items.filter(({ status }: any) => status.phase === "Running");
    return up.length === 2 && items.length === 3 && up;
  }, "two of three run");
  const [one, two] = running.map(({ metadata }: any) => metadata.name);
  for (const name of [one, two]) {
    assert.match(await say(name, "nvidia-smi -L"), new RegExp(`GPU 0: NVIDIA H200 .*${big.uuid}`));
    assert.match(await say(name, "ls -l /dev/nvidia*"), / 195, +0 .*nvidia0\n.*nvidiactl\n/s);
    assert.match(await say(name, "env"), new RegExp(`NVIDIA_VISIBLE_DEVICES=${big.uuid}`));
    assert.equal(await say(name, "cat /usr/lib/*-linux-gnu/libcuda.so.1"), "cuda\n");
    // It is let through to the kernel, where no driver is.
    assert.match(await say(name, "head -c1 /dev/nvidia0"), /No such device or address/);
  }
  const waits = names.find((name) => name !== one && name !== two)!;
  await site.kubectl(["delete", "pod", one]);
  await untilRunning(waits);
  await site.kubectl(["delete", "pods", "--all"]);
  await eventually(async () => {
    const [card] = await cardsNow();
    return Object.keys(card.spec.deviceUsage ?? {}).length === 0;
  }, "the card is free");
});

test("as an extended resource a card is shared as well, and two of them are two cards", async () => {
  const [card] = await cardsNow();
  const name = `akri.sh/${card.metadata.name}`;
  const slice = `{limits: {${name}: 1}}`;
  const sharing = [pod("left", "", slice), pod("right", "", slice), pod("none", "", "{}")];
  await site.apply(sharing.join("---"));
  await untilRunning("left", "right", "none");
  await site.apply(pod("both", "", "{limits: {akri.sh/gpus: 2}}"));
  assert.match(await say("left", "ls /dev/nvidia0"), /^\/dev\/nvidia0$/m);
  assert.match(await say("right", "ls /dev/nvidia0"), /^\/dev\/nvidia0$/m);
  assert.equal(await say("none", "ls /dev | grep -c nvidia"), "0\n");
  await site.kubectl(["delete", "pod", "left", "right"]);
  await untilRunning("both");
  assert.equal(await say("both", "ls /dev | grep -c 'nvidia[01]$'"), "2\n");
  const [, visible] = /^NVIDIA_VISIBLE_DEVICES=(.*)$/m.exec(await say("both", "env"))!;
  assert.deepEqual(visible!.split(",").sort(), [big.uuid, small.uuid].sort());
  await site.kubectl(["delete", "pods", "--all"]);
});

test("a card that goes, goes", async () => {
  await machine.run("rm", "-r", `/proc/driver/nvidia/gpus/${small.address}`);
  const left = await eventually(async () => {
    const cards = await cardsNow();
    return cards.length === 1 && cards;
  }, "one card");
  assert.equal(left[0].spec.brokerProperties.GPU_UUID, big.uuid);
});
