import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { test } from "node:test";
import { FakeClock } from "../lib/fake-clock.ts";
import { serveHttp } from "./serve-http.ts";
import { httpSettings } from "./http-settings.ts";
import { waitFor } from "./wasi-preview2/poll.ts";
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

type Handle = (
  request: IncomingRequest,
  out: ResponseOutparam,
  use: number,
) => void | Promise<void>;
type Ask = (path: string, body?: Buffer) => Promise<string>;

/** Serves `handle`, whose instances are counted; calls `use` with a way to ask. */
async function serving(
  handle: Handle,
  annotations: Record<string, string>,
  use: (ask: Ask, traps: unknown[], port: number) => Promise<void>,
) {
  let instances = 0;
  const traps: unknown[] = [];
  const instantiate = () => {
    const instance = ++instances;
    let uses = 0;
    const exports = {
      "wasi:http/incoming-handler@0.2.3": {
        async handle(request: IncomingRequest, out: ResponseOutparam) {
          uses += 1;
          if (request.pathWithQuery() === "/instance") answer(out, `instance ${instance}`);
          else await handle(request, out, uses);
        },
      },
    };
    return { exports, memoryBytes: () => 1 };
  };
  const onTrap = (error: unknown) => void traps.push(error);
  const clock = new FakeClock();
  const settings = httpSettings(annotations);
  const server = serveHttp({ component: { instantiate }, port: 0, ...settings, clock, onTrap });
  try {
    if (!server.listening) await once(server, "listening");
    const { port } = server.address() as { port: number };
    const ask = async (path: string, body?: Buffer) => {
      const options = body ? { method: "POST", body: new Uint8Array(body) } : {};
      const got = await fetch(`http://127.0.0.1:${port}${path}`, options);
      return `${got.status} ${(await got.text()).trim()}`;
    };
    await use(ask, traps, port);
  } finally {
    server.closeAllConnections();
    server.close();
    process.removeAllListeners("SIGTERM");
  }
}

const fresh = { "kerb.dev/wasm-instance": "fresh" };

const echo: Handle = async (request, out) => {
  const stream = request.consume().stream();
  await waitFor([stream.subscribe()]);
  answer(out, `${request.method().tag} ${Buffer.from(stream.read(1000n)).toString()}`);
};

test("an instance answers one request after the other, with its body", async () => {
  await serving(echo, {}, async (ask) => {
    assert.equal(await ask("/x", Buffer.from("sent")), "200 post sent");
    assert.equal(await ask("/instance"), "200 instance 1");
    assert.equal(await ask("/instance"), "200 instance 1");
  });
});

test("every request has an instance of its own where that is asked for", async () => {
  await serving(echo, fresh, async (ask) => {
    assert.equal(await ask("/instance"), "200 instance 1");
    assert.equal(await ask("/instance"), "200 instance 2");
  });
});

test("an instance that traps is told of and replaced, and others never hear of it", async () => {
  const trap: Handle = () => {
    throw new Error("unreachable");
  };
  await serving(trap, {}, async (ask, traps) => {
    assert.equal(await ask("/x"), "500 the handler gave no answer");
    assert.equal(traps.length, 1);
    assert.equal(await ask("/instance"), "200 instance 2");
  });
});

test("one that traps when all is said has answered all the same", async () => {
  const late: Handle = (_request, out) => {
    answer(out, "all");
    throw new Error("unreachable");
  };
  await serving(late, {}, async (ask, traps) => {
    for (let i = 0; i < 20; i++) assert.equal(await ask("/x"), "200 all");
    assert.equal(traps.length, 20);
  });
});

test("a component that answers once in its life has a new instance for every request", async () => {
  const once_: Handle = (_request, out, use) => {
    if (use === 1) answer(out, "first and only");
  };
  await serving(once_, {}, async (ask) => {
    for (let i = 0; i < 3; i++) assert.equal(await ask("/x"), "200 first and only");
  });
});

test("while one handler waits, others answer, by instances of their own", async () => {
  let isFree = () => {};
  const free = new Promise<void>((resolve) => (isFree = resolve));
  const wait: Handle = async (_request, out) => {
    await free;
    answer(out, "waited");
  };
  await serving(wait, {}, async (ask) => {
    const slow = ask("/x");
    assert.equal(await ask("/instance"), "200 instance 2");
    isFree();
    assert.equal(await slow, "200 waited");
  });
});

test("pieces go out as they come, trailers last, and a whole answer says its length", async () => {
  const stream: Handle = async (request, out) => {
    const response = new OutgoingResponse(new Fields());
    const body = response.body();
    ResponseOutparam.set(out, { tag: "ok", val: response });
    const [from, to] = [request.consume().stream(), body.write()];
    for (;;) {
      await waitFor([from.subscribe()]);
      try {
        to.write(from.read(1000n));
      } catch {
        break;
      }
    }
    OutgoingBody.finish(body, Fields.fromList([["x-end", Buffer.from("yes")]]));
  };
  await serving(stream, {}, async (ask, _traps, port) => {
    assert.equal(
      (await fetch(`http://127.0.0.1:${port}/instance`)).headers.get("content-length"),
      "10",
    );
    const asked = request({ port, method: "POST" });
    asked.flushHeaders();
    asked.write("one");
    const [response] = await once(asked, "response");
    const ended = once(response, "end");
    const pieces: string[] = [];
    response.on("data", (piece: Buffer) => pieces.push(String(piece)));
    await once(response, "data");
    asked.end("two");
    await ended;
    assert.deepEqual(pieces, ["one", "two"]);
    assert.deepEqual(response.trailers, { "x-end": "yes" });
    assert.match(await ask("/instance"), /^200/);
  });
});

test("an answer that is cut off is not taken for whole", async () => {
  const half: Handle = (_request, out) => {
    const response = new OutgoingResponse(new Fields());
    const body = response.body();
    ResponseOutparam.set(out, { tag: "ok", val: response });
    body.write().write(Buffer.from("half"));
  };
  await serving(half, {}, async (ask) => {
    await assert.rejects(ask("/x"));
    assert.equal(await ask("/instance"), "200 instance 1");
  });
});
