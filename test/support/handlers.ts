// What a discovery handler of a test sees of the machine, and one search of it.
import type {
  Device,
  DiscoveryHandler,
  HandlerWorld,
} from "../../src/devices/discovery/handler.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { Cancel } from "../../src/lib/clock.ts";
import { silent } from "../../src/lib/log.ts";
import { seededRandom } from "../../src/lib/random.ts";
import type { Scope } from "../../src/lib/scope.ts";

export const handlerWorld = (more: Partial<HandlerWorld> = {}): HandlerWorld => ({
  clock: systemClock,
  random: seededRandom(1),
  log: silent,
  directory: "/none",
  paths: { sys: "/sys", udev: "/run/udev", dev: "/dev", root: "/" },
  run: (command) => Promise.reject(new Error(`${command} is not here`)),
  ...more,
});

/** What lies ready when a busy machine gets to this process is read before its time is said to be over. */
const turnsMax = 100;

/** Waits of a second last a twentieth of it: who answers on the loopback has answered by then. */
function afterRest(ms: number, run: () => void): Cancel {
  let isCancelled = false;
  const turn = (turns: number) => {
    if (isCancelled) return;
    if (turns === 0) run();
    else setImmediate(turn, turns - 1);
  };
  const cancel = systemClock.after(ms / 20, () => turn(turnsMax));
  return () => {
    isCancelled = true;
    cancel();
  };
}

export const hurried = { ...systemClock, after: afterRest };

/** The search's next answers, one by one. */
export function startSearch(
  handler: DiscoveryHandler,
  details: object,
  {
    scope,
    properties = {},
    world,
  }: { scope: Scope; properties?: Record<string, string>; world?: Partial<HandlerWorld> },
): () => Promise<Device[]> {
  const stop = new AbortController();
  scope.defer(() => stop.abort());
  const given = Object.entries(properties).map(
    ([name, value]) => [name, Buffer.from(value)] as const,
  );
  const request = {
    details: JSON.stringify(details),
    properties: new Map(given),
    signal: stop.signal,
  };
  const answers = handler.discover(request, handlerWorld(world))[Symbol.asyncIterator]();
  return async () => (await answers.next()).value;
}
