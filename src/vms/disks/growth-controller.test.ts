import assert from "node:assert/strict";
import { test } from "node:test";
import { silent } from "../../lib/log.ts";
import { claims } from "../kinds/resources.ts";
import { growthController } from "./growth-controller.ts";

const vmi = (phase: string) => ({
  metadata: { namespace: "till", name: "shop" },
  spec: {
    domain: { devices: { filesystems: [{ name: "files", virtiofs: {} }] } },
    volumes: [
      { name: "ledger", persistentVolumeClaim: { claimName: "ledger" } },
      { name: "files", persistentVolumeClaim: { claimName: "files" } },
      { name: "copied", dataVolume: { name: "copied" } },
    ],
  },
  status: { phase, nodeName: "box", activePods: { "0a": "box" } },
});
const claim = (storage: string, annotations = {}) => ({
  metadata: { annotations },
  status: { capacity: { storage } },
});
const replicated = { "volume.kubernetes.io/storage-provisioner": "kerb.dev/replicated" };

test("a claim that grows under a guest that runs is told to its node, once", async () => {
  const asked: unknown[] = [];
  let isAway = false;
  const connect = async (): Promise<any> => ({
    async ask(_part: string, { podUid, method, args }: any) {
      if (isAway) throw new Error("the node is away");
      asked.push([podUid, method, ...args]);
    },
  });
  let machine: object | undefined = vmi("Running");
  const found: Record<string, object> = {
    ...{ ledger: claim("1Ki"), files: claim("1Ki"), copied: claim("1Ki", replicated) },
  };
  const waits: number[] = [];
  const context: any = {
    informer: (of: unknown) => ({ get: (name: string) => (of === claims ? found[name] : machine) }),
    wakeAfter: (_: string, ms: number) => waits.push(ms),
    log: silent,
  };
  const { reconcile } = growthController(connect);
  const look = () => reconcile("till/shop", context);
  await look();
  await look();
  assert.deepEqual(asked.splice(0), [["0a", "resizeVolume", "ledger", 1024]]);
  found["ledger"] = claim("2Ki");
  isAway = true;
  await look();
  assert.deepEqual(waits, [5000]);
  isAway = false;
  await look();
  assert.deepEqual(asked.splice(0), [["0a", "resizeVolume", "ledger", 2048]]);
  for (const next of [vmi("Scheduling"), undefined]) {
    machine = next;
    await look();
  }
  assert.deepEqual(asked, []);
});
