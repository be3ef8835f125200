// Looks after volumes of drivers while pods use them.
import type { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import type { AgentContext } from "../context.ts";
import type { PodWorker } from "../pods/pod-worker.ts";
import { growAtNode } from "./grow.ts";

const lookEveryMs = 10_000;
/** After a driver could not grow a volume. */
const restMs = 60_000;

export interface KeeperOptions {
  context: AgentContext;
  workers: () => Iterable<PodWorker>;
  scope: Scope;
}

export class CsiKeeper {
  readonly #options: KeeperOptions;
  /** By the place of the volume, when it may be tried again (monotonic). */
  readonly #resting = new Map<string, number>();

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  async look() {
    const { context, workers } = this.#options;
    const now = context.clock.monotonic();
    for (const [place, until] of this.#resting) if (until <= now) this.#resting.delete(place);
    for (const { pod, volumes } of workers()) {
      for (const { driven, claimName } of volumes.values()) {
        if (!driven || claimName === undefined || this.#resting.has(driven.target)) continue;
        try {
          await growAtNode(context, pod, { driven, claimName });
        } catch (error) {
          // A server that is away has nothing larger to tell of.
          if (isStatus(error, "NotFound", "Forbidden", "ServiceUnavailable", "Timeout")) continue;
          this.#resting.set(driven.target, now + restMs);
          const { driver, handle } = driven.source;
          context.log.warn("a volume was not grown", { driver, handle, error: String(error) });
        }
      }
    }
  }
}

/** Looks now and then, until the scope closes. */
export function startCsiKeeper(options: KeeperOptions) {
  const { context, scope } = options;
  const keeper = new CsiKeeper(options);
  let looking: Promise<void> | undefined;
  const look = () => {
    looking ??= keeper
      .look()
      .catch((error) => context.log.warn("volumes are not looked at", { error: String(error) }))
      .finally(() => (looking = undefined));
  };
  scope.defer(context.clock.every(lookEveryMs, look));
}
