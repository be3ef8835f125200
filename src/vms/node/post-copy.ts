// A guest that changes its memory faster than it is sent goes on at the target all the same: what it touches there and
// is not there yet is fetched. From then on it is nowhere as a whole, so there is no way back.
import { readFileSync } from "node:fs";
import type { MigrationOptions, MigrationTarget } from "../control.ts";
import { enter } from "./leaving.ts";
import type { Leaving } from "./leaving.ts";
import type { Vm } from "./vm.ts";

const capability = (state: boolean) => ({
  capabilities: [{ capability: "postcopy-ram", state }],
});

/** A connection that works brings something in this time. */
const silenceMsMax = 5000;
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

/** To be stopped. */
export function goOnAfter(vm: Vm, state: Leaving) {
  const { target, options, sentAt, isPostCopyAsked } = state.note;
  const { postCopyAfterMs } = options;
  if (!target.postCopy?.isAble || postCopyAfterMs === undefined || sentAt === undefined) {
    return () => {};
  }
  const { clock } = vm.options;
  return clock.after(sentAt + postCopyAfterMs - clock.now(), () => {
    if (state.note.phase !== "running" || isPostCopyAsked) return;
    // There is no way back from here, also not for who is started anew.
    enter(vm, state, "running", { isPostCopyAsked: true });
    // It may have ended just now.
    vm.tell("migrate-start-postcopy");
  });
}

/**
 * The kernel tries for a quarter of an hour to reach who does not answer, and then ever more seldom. QEMU is told before
 * that the way is broken, so that it takes a new one. To be stopped.
 */
export function pauseWhenSilent(vm: Vm, state: Leaving) {
  let last = -1;
  const look = async () => {
    const { ram } = await vm.qmp.execute("query-migrate");
    const sent: number = ram?.transferred ?? 0;
    if (sent === last) await vm.urgent.urge("migrate-pause");
    last = sent;
  };
  return vm.options.clock.every(silenceMsMax, () => {
    if (state.note.phase === "post-copy") void look().catch(() => {});
    else last = -1;
  });
}
