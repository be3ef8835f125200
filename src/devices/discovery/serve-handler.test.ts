// A handler of Kerb's, served on its own, against an agent that speaks Akri's protocol.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { eventually } from "../../../test/support/eventually.ts";
import { freePort } from "../../../test/support/site.ts";
import { handlerWorld, hurried } from "../../../test/support/handlers.ts";
import { systemClock } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { silent } from "../../lib/log.ts";
import { Scope } from "../../lib/scope.ts";
import { DetailsError } from "./handler.ts";
import { availabilityFile, debugEcho } from "../handlers/debug-echo.ts";
import { Handlers } from "./handlers.ts";
import { startRegistration } from "./registration.ts";
import { serveHandler } from "./serve-handler.ts";

let directory: string;
let scope: Scope;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "akri-"));
  scope = new Scope();
});
afterEach(async () => {
  await scope.close();
  await rm(directory, { recursive: true });
});

async function startAgent(of: Scope) {
  const handlers = new Handlers([]);
  await startRegistration({ directory, handlers, log: silent, scope: of });
  return handlers;
}

function serve({ listen, clock = systemClock }: { listen?: string; clock?: Clock } = {}) {
  let registrations = 0;
  const world = handlerWorld({ directory, clock });
  const options = { handler: debugEcho, directory, world, scope, ...(listen && { listen }) };
  void serveHandler(options, () => (registrations += 1));
  return { registrations: () => registrations };
}

const registered = (handlers: Handlers) =>
  eventually(async () => handlers.named("debugEcho")[0], "a registered handler");

async function ask(handlers: Handlers, details: string) {
  const handler = await registered(handlers);
  const stop = new AbortController();
  scope.defer(() => stop.abort());
  const request = { details, properties: new Map(), signal: stop.signal };
  const answers = handler.discover(request, handlerWorld())[Symbol.asyncIterator]();
  const next = async (): Promise<string[]> =>
    (await answers.next()).value.map(({ id }: { id: string }) => id);
  /** Answers are said twice, so the next may be the last one's echo. */
  const until = async (wanted: string[]) => {
    for (;;) if (isDeepStrictEqual(await next(), wanted)) return;
  };
  return { next, until, stop: () => stop.abort() };
}

for (const way of ["a socket", "the network"]) {
  test(`by ${way} it registers, answers, and tells what changes`, async () => {
    const handlers = await startAgent(scope);
    serve(way === "a socket" ? {} : { listen: `127.0.0.1:${await freePort()}` });
    const { next, until } = await ask(handlers, "descriptions: [foo0, foo1]");
    assert.deepEqual(await next(), ["foo0", "foo1"]);
    await writeFile(join(directory, availabilityFile), "OFFLINE");
    await until([]);
    assert.equal(handlers.named("debugEcho")[0]?.shared, true);
  });
}

test("an answer is said once more, to an agent that could not use it when it came", async () => {
  const handlers = await startAgent(scope);
  serve({ clock: hurried });
  const { next } = await ask(handlers, "descriptions: [foo0]");
  assert.deepEqual(await next(), ["foo0"]);
  assert.deepEqual(await next(), ["foo0"]);
});

test("details that it does not understand are the Configuration's fault", async () => {
  const handlers = await startAgent(scope);
  serve();
  const { next } = await ask(handlers, "descriptions: 7");
  await assert.rejects(next(), DetailsError);
});

test("one that waits for an agent, or loses it, registers with the next", async () => {
  const { registrations } = serve();
  const first = scope.child();
  const agents = [await startAgent(first)];
  const { next, stop } = await ask(agents[0]!, "descriptions: [foo0]");
  await next();
  stop();
  await eventually(async () => registrations() >= 2, "a registration after its stream ended");
  await first.close();
  const second = await startAgent(scope);
  await registered(second);
});
