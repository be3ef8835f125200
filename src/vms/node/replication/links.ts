// The copies of a VM's disk on other nodes, from the writer's side: QEMU mirrors each write before it acknowledges it.
// While a copy is away, writes wait; they go on without it only when it is let go, which is recorded before.
import { sleep } from "../../../lib/clock.ts";
import { StatusError } from "../../../lib/status-error.ts";
import type { CopyAttachment } from "../../control.ts";
import { jobs } from "../jobs.ts";
import { sharedKey } from "../shared-key.ts";
import type { Vm } from "../vm.ts";
import { isThere } from "./greeting.ts";
import { isHeld } from "./held.ts";
import { dropLayers, freeNode, mirrorNode } from "./layers.ts";
import { copyNode, jobOf, jobsOf, keyOf, linkNode } from "./names.ts";
import { goOn } from "./standing-still.ts";
import { stateOf } from "./state.ts";
import { blockNodes } from "./view.ts";

/** Ten years: nothing but us lets a copy go. */
const waitSeconds = 315_360_000;

export async function attach(vm: Vm, volume: string, target: CopyAttachment) {
  await detach(vm, volume, [target.node]);
  const state = stateOf(vm);
  state.linking++;
  try {
    await state.turn(() => link(vm, volume, target));
  } finally {
    state.linking--;
  }
}

async function link(vm: Vm, volume: string, { node, host, port, name, key, sync }: CopyAttachment) {
  const { run, inside, clock } = vm.options;
  if (sync === "none" && !isHeld(vm)) {
    throw new StatusError("Conflict", "the guest has written since the copies were the same");
  }
  // QEMU stands still while it dials.
  if (!(await isThere(host, clock))) throw new StatusError("ServiceUnavailable", "no copy there");
  const id = keyOf(volume, node);
  const credentials = { run, inside, id, key, endpoint: "client" as const };
  await vm.qmp.execute("object-add", await sharedKey(credentials));
  try {
    await vm.qmp.execute("blockdev-add", {
      driver: "raw",
      "node-name": copyNode(volume, node),
      file: {
        driver: "nbd",
        "node-name": linkNode(volume, node),
        server: { type: "inet", host, port: String(port) },
        export: name,
        "tls-creds": id,
        "reconnect-delay": waitSeconds,
      },
    });
    stateOf(vm).ends.delete(jobOf(volume, node));
    await vm.qmp.execute("blockdev-mirror", {
      "job-id": jobOf(volume, node),
      device: await freeNode(vm, volume),
      target: copyNode(volume, node),
      "filter-node-name": mirrorNode(volume, node),
      ...{ sync, "copy-mode": "write-blocking" },
      ...{ "on-target-error": "report", "auto-dismiss": false },
    });
  } catch (error) {
    await letGo(vm, volume, [node]);
    throw error;
  }
}

/** Writes that waited for these copies are acknowledged by this. Whatever else waits for them goes on first. */
export async function detach(vm: Vm, volume: string, nodes: string[]) {
  const { ends, turn } = stateOf(vm);
  for (const node of nodes) {
    ends.add(jobOf(volume, node));
    const link = { type: "block-node", "node-name": linkNode(volume, node) };
    await vm.urgent.urge("yank", { instances: [link] }).catch(() => {});
  }
  await turn(() => letGo(vm, volume, nodes));
}

async function letGo(vm: Vm, volume: string, nodes: string[]) {
  for (const node of nodes) {
    const id = jobOf(volume, node);
    const job = (await jobs(vm)).find((one) => one.id === id);
    if (job && job.status !== "concluded") {
      await vm.qmp.execute("block-job-cancel", { device: id, force: true }).catch(() => {});
      await concluded(vm, id);
    }
    if (job) await vm.qmp.execute("job-dismiss", { id }).catch(() => {});
    const name = copyNode(volume, node);
    const there = (await blockNodes(vm)).some((one) => one["node-name"] === name);
    if (there) await vm.qmp.execute("blockdev-del", { "node-name": name });
    await vm.qmp.execute("object-del", { id: keyOf(volume, node) }).catch(() => {});
  }
  await dropLayers(vm, volume);
  const left = (await jobs(vm)).filter(({ id }) => id.startsWith(jobsOf(volume)));
  if (left.every(({ error }) => !error)) await goOn(vm, volume);
}

const pollMs = 50;
const concludedTries = 200;

export async function concluded(vm: Vm, id: string) {
  for (let tries = 0; tries < concludedTries; tries++) {
    const job = (await jobs(vm)).find((one) => one.id === id);
    if (!job || job.status === "concluded") return;
    await sleep(vm.options.clock, pollMs);
  }
  throw new StatusError("Timeout", "the copy is not let go");
}
