import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { FakeClock } from "../lib/fake-clock.ts";
import { serveHttp } from "./serve-http.ts";
import { Fields } from "./wasi-preview2/http-fields.ts";
import { OutgoingBody } from "./wasi-preview2/http-bodies.ts";
import { OutgoingResponse, ResponseOutparam } from "./wasi-preview2/http-messages.ts";
import type { IncomingRequest } from "./wasi-preview2/http-messages.ts";

function answer(out: ResponseOutparam, text: string) {
  const response = new OutgoingResponse(new Fields());
  const body = response.body();
  ResponseOutparam.set(out, { tag: "ok", val: response });
  body.write().blockingWriteAndFlush(Buffer.from(text));
  OutgoingBody.finish(body, undefined);
}

type Handle = (request: IncomingRequest, out: ResponseOutparam, use: number) => void;

/** Serves `handle`, whose instances are counted; calls `use` with a way to ask. */
async function serving(
  handle: Handle,
  isFresh: boolean,
  use: (ask: (path: string, body?: Buffer) => Promise<string>, traps: unknown[]) => Promise<void>,
) {
  let instances = 0;
  const traps: unknown[] = [];
  const instantiate = () => {
    const instance = ++instances;
    let uses = 0;
    return {
      "wasi:http/incoming-handler@0.2.3": {
        handle(request: IncomingRequest, out: ResponseOutparam) {
          uses += 1;
          if (request.pathWithQuery() === "/instance") answer(out, `instance ${instance}`);
          else handle(request, out, uses);
        },
      },
    };
  };
  const onTrap = (error: unknown) => void traps.push(error);
  const server = serveHttp({ instantiate, port: 0, isFresh, clock: new FakeClock(), onTrap });
  try {
    if (!server.listening) await once(server, "listening");
    const { port } = server.address() as { port: number };
    const ask = async (path: string, body?: Buffer) => {
      const options = body ? { method: "POST", body: new Uint8Array(body) } : {};
      const got = await fetch(`http://127.0.0.1:${port}${path}`, options);
      return `${got.status} ${(await got.text()).trim()}`;
    };
    await use(ask, traps);
  } finally {
    server.closeAllConnections();
    server.close();
    process.removeAllListeners("SIGTERM");
  }
}

const echo: Handle = (request, out) => {
  const bytes = request.consume().stream().blockingRead(1000n);
  answer(out, `${request.method().tag} ${Buffer.from(bytes).toString()}`);
};

test("an instance answers one request after the other, with its body", async () => {
  await serving(echo, false, async (ask) => {
    assert.equal(await ask("/x", Buffer.from("sent")), "200 post sent");
    assert.equal(await ask("/instance"), "200 instance 1");
    assert.equal(await ask("/instance"), "200 instance 1");
  });
});

test("every request has an instance of its own where that is asked for", async () => {
  await serving(echo, true, async (ask) => {
    assert.equal(await ask("/instance"), "200 instance 1");
    assert.equal(await ask("/instance"), "200 instance 2");
  });
});

test("an instance that traps is told of and replaced, and others never hear of it", async () => {
  const trap: Handle = () => {
    throw new Error("unreachable");
  };
  await serving(trap, false, async (ask, traps) => {
    assert.equal(await ask("/x"), "500 the handler gave no answer");
    assert.equal(traps.length, 1);
    assert.equal(await ask("/instance"), "200 instance 2");
  });
});

test("a component that answers once in its life has a new instance for every request", async () => {
  const once_: Handle = (_request, out, use) => {
    if (use === 1) answer(out, "first and only");
  };
  await serving(once_, false, async (ask) => {
    for (let i = 0; i < 3; i++) assert.equal(await ask("/x"), "200 first and only");
  });
});

test("a body that is too large is not taken", async () => {
  await serving(echo, false, async (ask) => {
    const asked = ask("/x", Buffer.alloc(17 * 2 ** 20)).catch(() => "hung up");
    assert.match(await asked, /^413|hung up/);
    assert.equal(await ask("/instance"), "200 instance 1");
  });
});
