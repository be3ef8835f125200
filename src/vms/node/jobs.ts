// QEMU's background jobs over blocks: begun, followed to their end by asking, and dismissed.
import { sleep } from "../../lib/clock.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { Vm } from "./vm.ts";

const pollMs = 50;

export interface Job {
  id: string;
  status: string;
  error?: string;
  "current-progress": number;
  "total-progress": number;
}

export async function jobs(vm: Vm): Promise<Job[]> {
  return vm.qmp.execute("query-jobs");
}

/** Resolves once the job is in one of the states; rejects with its own words when it failed. */
export async function untilJob(vm: Vm, id: string, states: string[]): Promise<void> {
  for (;;) {
    const job = (await jobs(vm)).find((one) => one.id === id);
    if (!job) throw new StatusError("InternalError", `the copy ${id} is gone`);
    if (job.error) {
      await vm.qmp.execute("job-dismiss", { id }).catch(() => {});
      throw new StatusError("BadRequest", job.error);
    }
    if (states.includes(job.status)) return;
    await sleep(vm.options.clock, pollMs, vm.options.scope.signal);
  }
}

const concludedTries = 200;

export async function concluded(vm: Vm, id: string) {
  for (let tries = 0; tries < concludedTries; tries++) {
    const job = (await jobs(vm)).find((one) => one.id === id);
    if (!job || job.status === "concluded") return;
    await sleep(vm.options.clock, pollMs);
  }
  throw new StatusError("Timeout", `the copy ${id} is not let go`);
}

/** Of a job that is dismissed by us. */
export async function endJob(vm: Vm, id: string) {
  const job = (await jobs(vm)).find((one) => one.id === id);
  if (!job) return;
  if (job.status !== "concluded") {
    await vm.qmp.execute("block-job-cancel", { device: id, force: true }).catch(() => {});
    await concluded(vm, id);
  }
  await vm.qmp.execute("job-dismiss", { id }).catch(() => {});
}
