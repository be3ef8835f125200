import assert from "node:assert/strict";
import { createSecureServer } from "node:http2";
import type { Http2SecureServer, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { gzipSync } from "node:zlib";
import { eventually } from "../../test/support/eventually.ts";
import { systemClock } from "../lib/clock.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { openPki } from "../server/auth/pki.ts";
import { resource } from "./client.ts";
import { httpsClient } from "./https.ts";
import type { HttpsOptions } from "./https.ts";

const pods = { ...resource("v1", "pods"), namespace: "default" };

type Answer = (stream: ServerHttp2Stream, path: string, headers: Record<string, any>) => void;

let server: Http2SecureServer;
let answer: Answer;
let ca: string;
let url: string;
const sessions = new Set<ServerHttp2Session>();

before(async () => {
  const files = new Map<string, string>();
  const storage = {
    read: async (name: string) => files.get(name),
    write: async (name: string, data: string) => void files.set(name, data),
  };
  const pki = await openPki(storage, { clock: systemClock, names: ["127.0.0.1"] });
  ca = pki.ca();
  server = createSecureServer(pki.serving());
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    answer(stream as ServerHttp2Stream, headers[":path"]!, headers);
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/prefix`;
});
after(() => {
  for (const session of sessions) session.destroy();
  server.close();
});
beforeEach(() => (answer = () => assert.fail("nothing was asked for")));

async function withClient(
  use: (client: ReturnType<typeof httpsClient>) => Promise<void>,
  options: HttpsOptions = {},
) {
  const client = httpsClient({ server: url, ca, token: () => "secret" }, options);
  await use(client).finally(() => client.close());
}

const reply = (stream: ServerHttp2Stream, code: number, body: unknown) => {
  stream.respond({ ":status": code });
  stream.end(JSON.stringify(body));
};
const pod = (name: string) => ({ kind: "Pod", apiVersion: "v1", metadata: { name } });

test("a request carries its path, its token and its body, and comes back as an object", () =>
  withClient(async (client) => {
    answer = async (stream, path, headers) => {
      let body = "";
      for await (const chunk of stream) body += chunk;
      reply(stream, 200, {
        path,
        auth: headers["authorization"],
        type: headers["content-type"],
        body,
      });
    };
    const target = { ...pods, name: "web" };
    const patched: any = await client.patch(target, "merge", { a: 1 }, { dryRun: true });
    assert.deepEqual(patched, {
      path: "/prefix/api/v1/namespaces/default/pods/web?dryRun=All",
      auth: "Bearer secret",
      type: "application/merge-patch+json",
      body: '{"a":1}',
    });
  }));

test("an error is rebuilt with its reason, its code and its details", () =>
  withClient(async (client) => {
    const details = { name: "web", kind: "pods" };
    answer = (stream) =>
      reply(stream, 404, {
        kind: "Status",
        reason: "NotFound",
        message: "no web",
        code: 404,
        details,
      });
    await assert.rejects(client.get({ ...pods, name: "web" }), {
      reason: "NotFound",
      message: "no web",
      code: 404,
      details,
    });
    answer = (stream) => {
      stream.respond({ ":status": 502 });
      stream.end("<html>bad gateway</html>");
    };
    await assert.rejects(client.get({ ...pods, name: "web" }), {
      code: 502,
      message: /bad gateway/,
    });
  }));

test("items of a list know their kind", () =>
  withClient(async (client) => {
    const items = [{ metadata: { name: "a" } }];
    answer = (stream) =>
      reply(stream, 200, { kind: "PodList", apiVersion: "v1", metadata: {}, items });
    const list = await client.list(pods);
    assert.deepEqual(list.items, [pod("a")]);
  }));

test("events of a watch may be cut anywhere, within a character too", () =>
  withClient(async (client) => {
    const lines = ["ä", "ö", "ü"].map((name) =>
      JSON.stringify({ type: "ADDED", object: pod(name) }),
    );
    const bytes = Buffer.from(`${lines.join("\n")}\n`);
    answer = async (stream) => {
      stream.respond({ ":status": 200 });
      for (const byte of bytes) {
        await new Promise((resolve) => stream.write(Buffer.from([byte]), resolve));
      }
      stream.end();
    };
    const names: string[] = [];
    for await (const { object } of client.watch(pods)) names.push(object.metadata.name);
    assert.deepEqual(names, ["ä", "ö", "ü"]);
  }));

test("an aborted watch ends quietly; an aborted request throws the reason", () =>
  withClient(async (client) => {
    const controller = new AbortController();
    const { signal } = controller;
    answer = (stream) => {
      stream.respond({ ":status": 200 });
      stream.write(`${JSON.stringify({ type: "ADDED", object: pod("a") })}\n`);
    };
    let seen = 0;
    for await (const _ of client.watch(pods, { signal })) {
      seen += 1;
      controller.abort(new Error("enough"));
    }
    assert.equal(seen, 1);
    const second = new AbortController();
    answer = () => second.abort(new Error("changed my mind"));
    await assert.rejects(client.list(pods, { signal: second.signal }), /changed my mind/);
    await assert.rejects(client.list(pods, { signal: second.signal }), /changed my mind/);
  }));

test("a long answer comes compressed, and watches do not", () =>
  withClient(async (client) => {
    answer = (stream, _path, headers) => {
      assert.equal(headers["accept-encoding"], "gzip");
      stream.respond({ ":status": 200, "content-encoding": "gzip" });
      stream.end(gzipSync(JSON.stringify({ kind: "PodList", items: [pod("a"), pod("b")] })));
    };
    assert.equal((await client.list(pods)).items.length, 2);
    answer = (stream) => {
      stream.respond({ ":status": 200, "content-encoding": "gzip" });
      stream.end("no gzip");
    };
    await assert.rejects(client.list(pods), { reason: "ServiceUnavailable" });
    answer = (stream, _path, headers) => {
      assert.equal(headers["accept-encoding"], undefined);
      stream.respond({ ":status": 200 }, { endStream: true });
    };
    for await (const _ of client.watch(pods)) assert.fail("nothing was told");
  }));

test("an answer that breaks off is no answer", () =>
  withClient(async (client) => {
    answer = (stream) => {
      stream.respond({ ":status": 200 });
      stream.write('{"kind":', () => stream.close(2));
    };
    await assert.rejects(client.get({ ...pods, name: "a" }), { reason: "ServiceUnavailable" });
  }));

test("after the connection broke, the next request opens another", () =>
  withClient(async (client) => {
    answer = (stream) => stream.session!.destroy();
    await assert.rejects(client.get({ ...pods, name: "a" }), { reason: "ServiceUnavailable" });
    answer = (stream) => reply(stream, 200, pod("a"));
    assert.equal((await client.get({ ...pods, name: "a" })).metadata.name, "a");
  }));

test("a request that nobody answers ends after its time", async () => {
  const clock = new FakeClock();
  await withClient(
    async (client) => {
      answer = () => void clock.advance(1000);
      await assert.rejects(client.get({ ...pods, name: "a" }), { reason: "Timeout" });
    },
    { clock, requestMsMax: 1000 },
  );
});

test("a certificate of a stranger is refused", async () => {
  const client = httpsClient({ server: url });
  await assert.rejects(client.get({ ...pods, name: "a" }), { reason: "ServiceUnavailable" });
  client.close();
});

test("a connection that carries something is not asked whether it is alive; one that falls silent is", async () => {
  const clock = new FakeClock();
  let pings = 0;
  let told: ServerHttp2Stream | undefined;
  answer = (stream) => {
    stream.respond({ ":status": 200 });
    stream.write(`${JSON.stringify({ type: "ADDED", object: pod("a") })}\n`);
    stream.session!.on("ping", () => pings++);
    told = stream;
  };
  const seen: string[] = [];
  await withClient(
    async (client) => {
      const stop = new AbortController();
      const reading = (async () => {
        for await (const { object } of client.watch(pods, { signal: stop.signal })) {
          seen.push(object.metadata.name);
        }
      })();
      await eventually(async () => seen.length === 1, "the first event");
      await clock.advance(10_000);
      told!.write(`${JSON.stringify({ type: "ADDED", object: pod("b") })}\n`);
      await eventually(async () => seen.length === 2, "the second event");
      await clock.advance(10_000);
      assert.equal(pings, 0);
      await clock.advance(10_000);
      await eventually(async () => pings === 1, "a ping");
      stop.abort();
      await reading;
    },
    { clock, pingMs: 10_000 },
  );
});

test("a patch whose answer matters little asks for its metadata only", () =>
  withClient(async (client) => {
    answer = (stream, path, headers) => reply(stream, 200, { path, accept: headers["accept"] });
    const target = { ...pods, name: "a" };
    const brief: any = await client.patch(target, "merge", {}, { brief: true, force: true });
    assert.match(brief.accept, /as=PartialObjectMetadata/);
    assert.match(brief.path, /pods\/a\?force=true$/);
    const whole: any = await client.patch(target, "merge", {});
    assert.equal(whole.accept, "application/json");
  }));
