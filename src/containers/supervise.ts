// Starts containerd again when it has ended: the kernel's OOM killer takes whom it finds. Its containers live on
// with their shims meanwhile, and are found again.
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Scope } from "../lib/scope.ts";
import { containerdPid, startContainerd } from "./containerd.ts";
import type { ContainerdPaths } from "./containerd.ts";

const everyMs = 1000;

export function superviseContainerd(
  paths: ContainerdPaths,
  { clock, log, scope }: { clock: Clock; log: Log; scope: Scope },
) {
  let starting: Promise<void> | undefined;
  const look = () => {
    if (starting || containerdPid(paths.directory) !== undefined) return;
    log.warn("containerd has ended, and is started again");
    starting = startContainerd(paths, clock)
      .catch((error) => log.warn("containerd did not start", { error: String(error) }))
      .finally(() => (starting = undefined));
  };
  scope.defer(clock.every(everyMs, look));
  scope.defer(async () => starting);
}
