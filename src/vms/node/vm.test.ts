import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../lib/clock.ts";
import { Scope } from "../../lib/scope.ts";
import type { Domain } from "../domain.ts";
import { socketNames } from "../qemu/launch.ts";
import { Vm } from "./vm.ts";

const run = mkdtempSync(join(tmpdir(), "kerb-vm-"));
const scope = new Scope();
after(async () => {
  await scope.close();
  rmSync(run, { recursive: true });
});

/** QEMU's end of a monitor; resolves with each connection to it. */
async function monitor(name: string) {
  const connected = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    socket.write('{"QMP": {"version": {}}}\n');
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      for (const line of chunk.toString().trim().split("\n")) {
        const { execute, id } = JSON.parse(line);
        const answers: Record<string, unknown> = {
          "query-status": { status: "running" },
          "query-chardev": [],
        };
        socket.write(`${JSON.stringify({ return: answers[execute] ?? {}, id })}\n`);
      }
    });
    connected.resolve(socket);
  }).listen(join(run, name));
  scope.defer(() => void server.close());
  await once(server, "listening");
  return connected.promise;
}

test("a guest that stands still is paused, unless it does so to go on elsewhere", async () => {
  const monitors = [socketNames.control, socketNames.events].map(monitor);
  const known = Promise.withResolvers<void>();
  const vm = new Vm({
    ...{ podUid: "1", namespace: "till", podName: "shop", domain: { name: "shop" } as Domain },
    ...{ run, inside: run, notes: run, clock: systemClock, scope, changed: () => known.resolve() },
  });
  vm.tell("stop");
  assert.throws(
    () => vm.qmp,
    { reason: "Conflict" },
    "nothing is said to a QEMU that is not there",
  );
  const [, events] = await Promise.all(monitors);
  await known.promise;
  /** What the machine is said to be after the last of these events. */
  const statusAfter = async (...names: string[]) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = vm.onEvent(({ event }) => event === names.at(-1) && resolve());
    const full = { BLOCK_IO_ERROR: { action: "stop", nospace: true } };
    for (const event of names) {
      const data = full[event as keyof typeof full];
      events!.write(`${JSON.stringify({ event, ...(data && { data }) })}\n`);
    }
    await promise;
    stop();
    return vm.status;
  };
  assert.equal(await statusAfter("STOP"), "paused");
  assert.equal(await statusAfter("RESUME"), "running");
  vm.migratedAway = true;
  assert.equal(await statusAfter("STOP"), "running");
  assert.equal(await statusAfter("RESUME"), "running");
  assert.equal(await statusAfter("BLOCK_IO_ERROR", "STOP"), "paused", "a full disk holds it up");
});
