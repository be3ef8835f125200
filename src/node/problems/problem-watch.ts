// Looks at the machine each time the node's status is due.
import { access, constants } from "node:fs/promises";
import type { RecordEvent } from "../../client/events.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Scope } from "../../lib/scope.ts";
import { openKernelLog } from "./kernel-log.ts";
import type { KernelLog } from "./kernel-log.ts";
import { learn, problemConditions, systemOoms } from "./problems.ts";
import type { Condition, Known } from "./problems.ts";

export interface ProblemWatchOptions {
  clock: Clock;
  scope: Scope;
  directory: string;
  nodeName: string;
  event: RecordEvent;
  kernelLog?: KernelLog;
}

const isReadOnly = (directory: string) =>
  access(directory, constants.W_OK).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === "EROFS",
  );

export function startProblemWatch(options: ProblemWatchOptions): () => Promise<Condition[]> {
  const { clock, scope, directory, nodeName, event, kernelLog = openKernelLog() } = options;
  scope.defer(() => kernelLog.close());
  let known: Known = {};
  // Upstream's events of a node name it by its name, for want of its uid.
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: nodeName, uid: nodeName } };
  return async () => {
    const look = {
      now: clock.now(),
      monotonic: clock.monotonic(),
      kernelLines: scope.closed ? [] : kernelLog.lines(),
      readOnly: await isReadOnly(directory),
    };
    known = learn(known, look);
    for (const message of systemOoms(look)) event(node as any, "Warning", "SystemOOM", message);
    return problemConditions(known, look);
  };
}
