import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { handlerWorld, startSearch } from "../../../test/support/handlers.ts";
import { rsaCertificate } from "../../../test/support/rsa-certificate.ts";
import { Scope } from "../../lib/scope.ts";
import { addressesIn } from "../network/addresses.ts";
import { DetailsError } from "../discovery/handler.ts";
import { scan } from "./scan.ts";

let scope: Scope;
let server: Server;
let address: string;
beforeEach(async () => {
  scope = new Scope();
  server = createServer((request, response) => {
    const isKnown = request.url === "/info" || request.url === "/stream";
    response.writeHead(isKnown ? 200 : 404, { server: "lamp/1" }).write(" ");
    if (request.url !== "/stream") response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await scope.close();
  server.close();
});

test("who accepts a connection is a device, and who does not is none", async () => {
  const [found, ...more] = await startSearch(
    scan,
    { addresses: [address, "127.0.0.1:1"] },
    { scope },
  )();
  assert.equal(found?.id, address);
  assert.deepEqual(more, []);
});

test("who has the page is a device, and who has another is none", async () => {
  const look = (path: string) =>
    startSearch(scan, { addresses: [address], http: { path } }, { scope })();
  const [found] = await look("/info");
  assert.equal(found?.properties["SCAN_URL"], `http://${address}/info`);
  assert.equal(found?.properties["SCAN_HTTP_SERVER"], "lamp/1");
  assert.deepEqual(await look("/other"), []);
  assert.equal((await look("/stream")).length, 1, "a picture that never ends is there");
});

test("a page behind a certificate of its own is found by who was given it, and its values are read", async () => {
  const { privateKey: key, certificate: cert } = rsaCertificate({
    uri: "urn:l",
    nowMs: Date.now(),
  });
  const secure = createTlsServer({ key, cert }, (_, response) => response.end('{"level":7}'));
  await new Promise<void>((resolve) => secure.listen(0, "127.0.0.1", resolve));
  scope.defer(() => void secure.close());
  const { port } = secure.address() as AddressInfo;
  const wishes = { addresses: [`localhost:${port}`], http: { scheme: "https" } };
  assert.deepEqual(await startSearch(scan, wishes, { scope })(), []);
  const properties = { certificateAuthority: cert };
  const [lamp] = await startSearch(scan, wishes, { scope, properties })();
  assert.equal(lamp?.id, `https://localhost:${port}/`);
  const { signal } = new AbortController();
  const given = new Map([["certificateAuthority", Buffer.from(cert)]]);
  const twin = await scan.openTwin!(lamp!, { properties: given, signal }, handlerWorld());
  assert.equal(await twin.read({ path: "/", field: "level" }), "7");
});

const hosts = (...addresses: string[]) =>
  addressesIn({ addresses }, 80).map(({ host, port }) => `${host} ${port}`);

test("addresses may be a network, a range, or have a port", () => {
  assert.deepEqual(hosts("10.0.0.0/30"), ["10.0.0.1 80", "10.0.0.2 80"]);
  assert.deepEqual(hosts("10.0.0.254-10.0.1.1:502"), [
    "10.0.0.254 502",
    "10.0.0.255 502",
    "10.0.1.0 502",
    "10.0.1.1 502",
  ]);
  assert.deepEqual(hosts("plc.local:502", "[fd00::1]:7"), ["plc.local 502", "fd00::1 7"]);
});

test("too many addresses, and what is none, are refused", () => {
  for (const wrong of ["10.0.0.0/8", "10.0.0.9-10.0.0.1", "a b", "10.0.0.1:99999", "10.0.0.0/99"]) {
    assert.throws(() => hosts(wrong), DetailsError, wrong);
  }
});
