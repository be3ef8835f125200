import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { handlerWorld } from "../../../test/support/handlers.ts";
import { systemClock } from "../../lib/clock.ts";
import { Scope } from "../../lib/scope.ts";
import { DetailsError } from "../discovery/handler.ts";
import { opcua, reachable } from "../handlers/opcua.ts";
import { startFakeUaServer } from "./fake-server.ts";
import { uaAddress } from "./channel.ts";
import { findServers } from "./find-servers.ts";
import type { UaServer } from "./find-servers.ts";

let scope: Scope;
beforeEach(() => void (scope = new Scope()));
afterEach(() => scope.close());

const server = (name: string, kind: UaServer["kind"], ...urls: string[]): UaServer => ({
  name,
  kind,
  urls,
});

async function look(servers: UaServer[], details: (url: string) => string, chunkBytes?: number) {
  const url = await startFakeUaServer({ servers, scope, ...(chunkBytes && { chunkBytes }) });
  const stop = new AbortController();
  scope.defer(() => stop.abort());
  const request = { details: details(url), properties: new Map(), signal: stop.signal };
  const { value } = await opcua.discover(request, handlerWorld())[Symbol.asyncIterator]().next();
  return value.map(({ id }: { id: string }) => id);
}

const method = (url: string) => `opcuaDiscoveryMethod: {standard: {discoveryUrls: ["${url}"]}}\n`;

const known = [
  server("boiler", "Server", "https://127.0.0.1/x", "opc.tcp://127.0.0.1:4841/boiler"),
  server("press", "Server", "opc.tcp://127.0.0.1:4842/press"),
  server("directory", "DiscoveryServer", "opc.tcp://127.0.0.1:4840/"),
  server("odd", "Server", "https://127.0.0.1/y"),
];

test("servers that a discovery server knows are devices, one for each address", async () => {
  const found = await look([...known, known[0]!], method);
  assert.deepEqual(found, ["opc.tcp://127.0.0.1:4841/boiler", "opc.tcp://127.0.0.1:4842/press"]);
});

test("an answer in parts is put together", async () => {
  assert.equal((await look(known, method, 40)).length, 2);
});

test("a server whose address is none hides no other, nor does one whose name nobody knows", async () => {
  const odd = server("odd", "Server", "opc.tcp://[::1", "opc.tcp://a:99999/", "opc.tcp://");
  const unknown = server("unknown", "Server", "opc.tcp://name.invalid:4840/far");
  const found = await look([odd, unknown, known[1]!], method);
  assert.equal(found.length, 2);
  assert.match(found[0], /^opc\.tcp:\/\/127\.0\.0\.1:\d+\/far$/);
  assert.equal(found[1], "opc.tcp://127.0.0.1:4842/press");
});

const names: [filter: string, found: string[]][] = [
  ["applicationNames: {action: Include, items: [press]}", ["press"]],
  ["applicationNames: {action: Exclude, items: [press]}", ["boiler"]],
  ["applicationNames: {action: Include, items: []}", ["boiler", "press"]],
  ["applicationNames: {action: Include, items: [PRESS]}", []],
];
for (const [filter, wanted] of names) {
  test(`${filter} finds ${wanted.join(" and ") || "none"}`, async () => {
    const found = await look(known, (url) => method(url) + filter);
    assert.deepEqual(
      found.map((url: string) => url.split("/").at(-1)),
      wanted,
    );
  });
}

test("a server that announces a name unknown here is reached by the address that was asked", async () => {
  const announced = server("a", "Server", "opc.tcp://plc-7.factory:4845/line");
  const asked = "opc.tcp://10.0.0.9:4840/";
  assert.equal(
    await reachable(announced, asked, async () => false),
    "opc.tcp://10.0.0.9:4840/line",
  );
  const itself = "opc.tcp://plc-7.factory:4845/line";
  assert.equal(await reachable(announced, asked, async () => true), itself);
});

test("who is no OPC UA server is named as such", async () => {
  const other = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  scope.defer(() => void other.close());
  const { port } = other.address() as AddressInfo;
  const asking = findServers(`opc.tcp://127.0.0.1:${port}/`, {
    clock: systemClock,
    signal: scope.signal,
  });
  await assert.rejects(asking, /no OPC UA server/);
});

test("addresses and methods that are not known are refused", async () => {
  assert.deepEqual(uaAddress("opc.tcp://[::1]:4841/a/b"), {
    host: "::1",
    port: 4841,
    path: "/a/b",
  });
  assert.throws(() => uaAddress("http://x"), /no opc.tcp address/);
  await assert.rejects(
    look([], () => "opcuaDiscoveryMethod: {scan: {}}"),
    (error) => error instanceof DetailsError && /"scan" is not known/.test(error.message),
  );
});
