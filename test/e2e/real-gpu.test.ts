// The machine's own NVIDIA card, where it has one: found as nvidia-smi tells it, computed on by two pods at a time,
// and given back.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { run } from "../support/command.ts";
import { cudaImage, importCudaImage } from "../support/cuda-image.ts";
import { eventually } from "../support/eventually.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

const folder = "/proc/driver/nvidia/gpus";
const hasCard = existsSync(folder) && readdirSync(folder).length > 0;

interface Card {
  uuid: string;
  model: string;
  /** Undefined of a part, of which nvidia-smi does not tell it in a line. */
  memoryBytes: number | undefined;
}

/** What computes: cards, or the parts of those in MIG mode. */
async function cardsOfMachine(): Promise<Card[]> {
  const query = ["--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"];
  const rows = (await run("nvidia-smi", query)).trim().split("\n");
  const list = await run("nvidia-smi", ["-L"]);
  return rows.flatMap((row): Card[] => {
    const [uuid = "", model = "", mib = ""] = row.split(",").map((part) => part.trim());
    const own = list.split(/^(?=GPU )/m).find((lines) => lines.includes(uuid)) ?? "";
    const parts = [...own.matchAll(/^\s+MIG .*\(UUID: (MIG-[^)]+)\)/gm)];
    if (parts.length === 0) return [{ uuid, model, memoryBytes: Number(mib) * 2 ** 20 }];
    return parts.map(([, part]) => ({ uuid: part!, model, memoryBytes: undefined }));
  });
}

const pod = (name: string, card: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: ${cudaImage}
    resources: {limits: {akri.sh/${card}: 1}}
`;

const instanceOf = async (site: Site, { uuid }: Card) =>
  (await site.get("akrii")).items.find(({ spec }: any) => spec.brokerProperties.GPU_UUID === uuid);

/** What the program in a pod saw of its card, once it has computed on it. */
const computed = (site: Site, name: string) =>
  eventually(async () => {
    const said = await site.kubectl(["logs", name]);
    return said.includes("computed") && JSON.parse(said.split("\n")[0]!);
  }, `${name} computes`);

async function judge(site: Site) {
  await importCudaImage(site);
  await site.apply(`
apiVersion: akri.sh/v0
kind: Configuration
metadata: {name: gpus}
spec:
  discoveryHandler: {name: gpu, discoveryDetails: "vendors: {items: [nvidia]}"}
  capacity: 2
`);
  const [card, ...others] = await cardsOfMachine();
  const found = await eventually(() => instanceOf(site, card!), "the card");
  const all = (await site.get("akrii")).items.length;
  assert.equal(all, 1 + others.length);
  const { GPU_MODEL, GPU_MEMORY_BYTES } = found.spec.brokerProperties;
  const memoryBytes = card!.memoryBytes ?? Number(GPU_MEMORY_BYTES);
  assert.deepEqual([GPU_MODEL, Number(GPU_MEMORY_BYTES)], [card!.model, memoryBytes]);
  assert.ok(memoryBytes > 0);

  const of = found.metadata.name;
  await site.apply(["first", "second"].map((name) => pod(name, of)).join("---"));
  for (const name of ["first", "second"]) {
    const seen = await computed(site, name);
    assert.deepEqual(seen.computed, [2, 3, 4, 42]);
    assert.equal(seen.count, 1);
    assert.ok(seen.name.startsWith(card!.model), seen.name);
    // What the driver keeps for itself programs do not see.
    assert.ok(seen.memoryBytes > 0.9 * memoryBytes, `${seen.memoryBytes} bytes`);
    const listed = await site.kubectl(["exec", name, "--", "nvidia-smi", "-L"]);
    assert.match(listed, new RegExp(`^GPU 0: ${card!.model} \\(UUID: `));
    assert.deepEqual(
      [...listed.matchAll(/UUID: ([^)]+)\)/g)].map(([, is]) => is).at(-1),
      card!.uuid,
    );
  }
  await site.apply(pod("third", of));
  await eventually(async () => {
    const { conditions = [] } = (await site.get("pod", "third")).status;
    return conditions.some(({ reason }: any) => reason === "Unschedulable");
  }, "no third slice");
  await site.kubectl(["delete", "pod", "first"]);
  assert.deepEqual((await computed(site, "third")).computed, [2, 3, 4, 42]);
  const { phase, containerStatuses } = (await site.get("pod", "second")).status;
  assert.deepEqual([phase, containerStatuses[0].restartCount], ["Running", 0]);
  await site.kubectl(["delete", "pods", "--all"]);
  await eventually(async () => {
    const { deviceUsage = {} } = (await instanceOf(site, card!)).spec;
    return Object.keys(deviceUsage).length === 0;
  }, "the card is free");
}

const skip = hasCard ? false : "this machine has no NVIDIA card";

test(
  "two pods compute on the machine's own card, and a third when one is gone",
  { skip },
  async () => {
    const site = await startSite("--name", "render", "--devices");
    try {
      await judge(site);
    } finally {
      await site.remove();
    }
  },
);
