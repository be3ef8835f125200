// A guest that changes its memory faster than it is sent goes on at the target all the same: what it touches there and
// is not there yet is fetched. From then on it is nowhere as a whole, so there is no way back.
import { readFileSync } from "node:fs";
import type { MigrationOptions, MigrationProgress, MigrationTarget } from "../control.ts";
import type { Vm } from "./vm.ts";

const capability = (state: boolean) => ({
  capabilities: [{ capability: "postcopy-ram", state }],
});

const permission = "vm.unprivileged_userfaultfd";

/** What QEMU does not say: what its node would have to allow. */
function hintOf(): string {
  try {
    const value = readFileSync(`/proc/sys/${permission.replace(".", "/")}`, "utf8").trim();
    return value === "0" ? ` (${permission} of its node is 0)` : "";
  } catch {
    return "";
  }
}

/** Of the target: QEMU is asked, which tries what the kernel lets it. */
export async function tryPostCopy(vm: Vm): Promise<NonNullable<MigrationTarget["postCopy"]>> {
  try {
    await vm.qmp.execute("migrate-set-capabilities", capability(true));
    return { isAble: true };
  } catch (error) {
    return { isAble: false, why: (error as Error).message + hintOf() };
  }
}

/** Of the source, for this migration. */
export async function allowPostCopy(
  vm: Vm,
  { postCopy }: MigrationTarget,
  { bandwidthBytesPerSecond }: MigrationOptions,
) {
  await vm.qmp.execute("migrate-set-capabilities", capability(postCopy?.isAble ?? false));
  // What the guest waits for is held up by no limit that nobody asked for.
  const limit = { "max-postcopy-bandwidth": bandwidthBytesPerSecond ?? 0 };
  if (postCopy?.isAble) await vm.qmp.execute("migrate-set-parameters", limit);
}

/** Once the memory is on its way; to be stopped. */
export function goOnAfter(vm: Vm, { postCopy }: MigrationTarget, options: MigrationOptions) {
  const { postCopyAfterMs } = options;
  if (!postCopy?.isAble || postCopyAfterMs === undefined) return () => {};
  return vm.options.clock.after(postCopyAfterMs, () => {
    // It may have ended just now.
    vm.tell("migrate-start-postcopy");
  });
}

const phases: Record<string, MigrationProgress["phase"]> = {
  "postcopy-active": "post-copy",
  "postcopy-paused": "lost",
  completed: "completed",
};

/** Of a migration that Kerb began before it was started anew, as far as its guest has left. */
export const phaseLeft = (status: string | undefined): MigrationProgress["phase"] =>
  phases[status ?? ""] ?? "none";
