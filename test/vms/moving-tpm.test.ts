// A guest with a TPM moves: what the TPM holds goes with it, though each end has a program of its own for it.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { untilGuest } from "../support/guest.ts";
import { guestFiles, QemuVm } from "../support/qemu.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-tpm-test-"));
let kernel: ReturnType<typeof guestFiles>;
let source: QemuVm;
let target: QemuVm;

before(async () => {
  kernel = guestFiles(folder);
  const hasTpm = true;
  [source, target] = await Promise.all([
    QemuVm.start(kernel, { guest: "run=agent", hasTpm }),
    QemuVm.start(kernel, { guest: "run=agent", hasTpm, incoming: true }),
  ]);
  await untilGuest(async () => source.vm.agentConnected, "the guest's agent");
});
after(async () => {
  await Promise.all([source.stop(), target.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const sh = async (vm: QemuVm, script: string) => {
  const { exitCode, stdout, stderr } = await vm.answers().guestExec(["/bin/sh", "-c", script]);
  assert.equal(exitCode, 0, stderr);
  return stdout.trim();
};

const register = "cat /sys/class/tpm/tpm0/pcr-sha256/23";
/** TPM2_PCR_Extend of register 23, without a password, by 32 letters. */
const extend = (letter: string) => {
  const command =
    "8002 00000041 00000182 00000017 00000009 40000009 0000 00 0000 00000001 000b".replaceAll(
      " ",
      "",
    );
  const bytes = [...command.matchAll(/../g)].map(([hex]) => `\\x${hex}`).join("");
  const say = `printf '${bytes}${letter.repeat(32)}' >&3; dd bs=64 count=1 <&3 | od -An -tx1`;
  return `exec 3<>/dev/tpm0; ${say} >/dev/null 2>&1`;
};

test("what a TPM holds moves with its guest, and it goes on from there", async () => {
  const first = await sh(source, register);
  assert.match(first, /^0{64}$/);
  await sh(source, extend("a"));
  const before = await sh(source, register);
  assert.notEqual(before, first);
  await eventually(async () => target.vm.status === "inmigrate", "the target");
  const way = await target.answers().prepareMigration([]);
  await source.answers().migrate(way, { copy: [], autoConverge: false });
  await untilGuest(async () => {
    const { phase, error } = await source.answers().migration();
    assert.notEqual(phase, "failed", error ?? "");
    return phase === "completed";
  }, "the migration");
  await untilGuest(async () => target.vm.agentConnected, "the agent elsewhere");
  assert.equal(await sh(target, register), before);
  await sh(target, extend("b"));
  const after = await sh(target, register);
  assert.ok(/^[0-9A-F]{64}$/.test(after) && after !== before, after);
});
