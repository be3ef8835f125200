// The end of a live migration that a guest arrives at.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../lib/clock.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { MigrationTarget } from "../control.ts";
import { migrationPorts } from "../prepare/network-plan.ts";
import { blockNode } from "../qemu/disk-arguments.ts";
import { tryNewWay } from "./new-way.ts";
import { tryPostCopy } from "./post-copy.ts";
import { sharedKey } from "./shared-key.ts";
import type { Vm } from "./vm.ts";

const tls = "tls-server";
const recoverMsMax = 2000;
const pollMs = 50;

const fileOf = ({ options }: Vm) => join(options.notes, "arriving.json");

/** What was answered before Kerb was started anew. */
function answered(vm: Vm): MigrationTarget | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(vm), "utf8")) as MigrationTarget;
  } catch {
    return undefined;
  }
}

/** Asked again, when the first answer was lost, it is the same. */
const prepared = new WeakMap<Vm, Promise<MigrationTarget>>();

export function prepare(vm: Vm, copy: string[], postCopy = false): Promise<MigrationTarget> {
  const known = prepared.get(vm);
  if (known) return known;
  const before = answered(vm);
  const begun = before ? Promise.resolve(before) : open(vm, copy, postCopy);
  prepared.set(vm, begun);
  begun.catch(() => prepared.delete(vm));
  return begun;
}

const memoryUri = ({ options: { listen = "0.0.0.0" } }: Vm) =>
  `tcp:${listen}:${migrationPorts.memory}`;

async function open(vm: Vm, copy: string[], wantsPostCopy: boolean): Promise<MigrationTarget> {
  if (vm.status !== "inmigrate") {
    throw new StatusError("Conflict", `VMI ${vm.domain.name} does not wait for a migration`);
  }
  const { listen = "0.0.0.0", run, inside } = vm.options;
  const key = randomBytes(32).toString("hex");
  const { memory, disks } = migrationPorts;
  // What an answer that was never given left.
  await vm.qmp.execute("nbd-server-stop").catch(() => {});
  await vm.qmp.execute("object-del", { id: tls }).catch(() => {});
  const credentials = { run, inside, id: tls, key, endpoint: "server" as const };
  await vm.qmp.execute("object-add", await sharedKey(credentials));
  if (copy.length > 0) {
    await vm.qmp.execute("nbd-server-start", {
      addr: { type: "inet", data: { host: listen, port: String(disks) } },
      "tls-creds": tls,
    });
    for (const name of copy) {
      await vm.qmp.execute("block-export-add", {
        type: "nbd",
        id: `export-${blockNode(name)}`,
        "node-name": blockNode(name),
        name: blockNode(name),
        writable: true,
      });
    }
  }
  await vm.qmp.execute("migrate-set-parameters", { "tls-creds": tls });
  const postCopy = wantsPostCopy ? await tryPostCopy(vm) : undefined;
  const host = vm.addresses[0] ?? listen;
  const more = { ...(copy.length > 0 && { nbdPort: disks }), ...(postCopy && { postCopy }) };
  const answer: MigrationTarget = { host, port: memory, key, ...more };
  await vm.qmp.execute("migrate-incoming", { uri: memoryUri(vm) });
  await writeFile(`${fileOf(vm)}.new`, JSON.stringify(answer), { mode: 0o600 });
  await rename(`${fileOf(vm)}.new`, fileOf(vm));
  return answer;
}

/** Once the guest runs here, nobody writes to its disks but it. */
export function mindArrivals(vm: Vm) {
  if (!vm.domain.incoming) return;
  const close = () => vm.tell("nbd-server-stop");
  vm.onEvent(({ event }) => {
    if (event === "RESUME") close();
  });
  vm.onConnect(() => {
    if (vm.status === "running") close();
  });
}

/**
 * A guest that waits for the rest of its memory hears a new connection at the place of the one that broke. Nothing is
 * asked of QEMU's main thread, which may itself wait for a page.
 */
export const recover = (vm: Vm) => tryNewWay(vm, () => hearNewWay(vm));

async function hearNewWay(vm: Vm) {
  // Refused where it has noticed by itself.
  await vm.urgent.urge("migrate-pause").catch(() => {});
  const { clock, scope } = vm.options;
  const uri = memoryUri(vm);
  const giveUpAt = clock.monotonic() + recoverMsMax;
  for (;;) {
    try {
      return void (await vm.urgent.urge("migrate-recover", { uri }));
    } catch (error) {
      // Its port is free only once QEMU's main thread has looked away from the listener before.
      if (clock.monotonic() > giveUpAt) throw error;
      await sleep(clock, pollMs, scope.signal);
    }
  }
}
