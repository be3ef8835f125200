// What a discovery handler of a test sees of the machine, and one search of it.
import type {
  Device,
  DiscoveryHandler,
  HandlerWorld,
} from "../../src/devices/discovery/handler.ts";
import { systemClock } from "../../src/lib/clock.ts";
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

/** Waits of a second last a hundredth of it: who answers on the loopback has answered by then. */
export const hurried = {
  ...systemClock,
  after: (ms: number, run: () => void) => systemClock.after(ms / 20, run),
};

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
