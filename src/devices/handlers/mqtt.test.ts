import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { handlerWorld, startSearch } from "../../../test/support/handlers.ts";
import { rsaCertificate } from "../../../test/support/rsa-certificate.ts";
import { Scope } from "../../lib/scope.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device } from "../discovery/handler.ts";
import { startFakeBroker } from "../mqtt/fake-broker.ts";
import { matchTopic, packetLength } from "../mqtt/packets.ts";
import { mqtt } from "./mqtt.ts";

let scope: Scope;
beforeEach(() => void (scope = new Scope()));
afterEach(() => scope.close());

const details = (port: number, more: object = {}) => ({
  brokerUrl: `mqtt://127.0.0.1:${port}`,
  topics: ["plant/+/state"],
  ...more,
});

/** Retained messages come one by one. */
async function untilCount(next: () => Promise<Device[]>, count: number): Promise<Device[]> {
  for (;;) {
    const devices = await next();
    if (devices.length === count) return devices;
  }
}

test("a topic is a device from its first message until it says that it is offline", async () => {
  const broker = await startFakeBroker(scope);
  broker.publish("plant/press/state", "online");
  broker.publish("other/press/state", "online");
  const next = startSearch(mqtt, details(broker.port), { scope });
  const [press] = await untilCount(next, 1);
  assert.equal(press?.id, `127.0.0.1:${broker.port}/plant/press/state`);
  assert.deepEqual(press?.properties, {
    MQTT_BROKER_URL: `mqtt://127.0.0.1:${broker.port}`,
    MQTT_TOPIC: "plant/press/state",
    MQTT_LEVEL_1: "press",
  });
  broker.publish("plant/lamp/state", "42");
  await untilCount(next, 2);
  broker.publish("plant/press/state", "offline");
  await untilCount(next, 1);
});

test("a broker that is cut off ends the search, which is begun anew", async () => {
  const broker = await startFakeBroker(scope);
  const next = startSearch(mqtt, details(broker.port), { scope });
  await next();
  broker.cut();
  assert.equal(await next(), undefined);
});

test("a broker that refuses the password is told so", async () => {
  const { port } = await startFakeBroker(scope, { password: "right" });
  const wrong = startSearch(mqtt, details(port), {
    scope,
    properties: { username: "a", password: "wrong" },
  });
  await assert.rejects(wrong(), /the broker refused: name or password/);
});

test("a broker with a certificate of its own is believed by who was given it, twins as well", async () => {
  const { privateKey: key, certificate: cert } = rsaCertificate({
    uri: "urn:b",
    nowMs: Date.now(),
  });
  const broker = await startFakeBroker(scope, { identity: { key, cert } });
  broker.publish("plant/press/state", "21");
  const secure = details(broker.port, { brokerUrl: `mqtts://localhost:${broker.port}` });
  await assert.rejects(startSearch(mqtt, secure, { scope })(), /self-signed certificate/);
  const properties = { certificateAuthority: cert };
  const [press] = await untilCount(startSearch(mqtt, secure, { scope, properties }), 1);
  const { signal } = new AbortController();
  const given = new Map([["certificateAuthority", Buffer.from(cert)]]);
  const twin = await mqtt.openTwin!(press!, { properties: given, signal }, handlerWorld());
  scope.defer(() => twin.close());
  assert.equal(await twin.read({}), "21");
});

test("details that no broker understands are refused", async () => {
  const wrong = [details(1, { topics: ["a/b#"] }), details(1, { brokerUrl: "http://x" })];
  for (const one of wrong) {
    await assert.rejects(startSearch(mqtt, one, { scope })(), DetailsError);
  }
});

const matches: [filter: string, topic: string, levels: string[] | undefined][] = [
  ["a/b", "a/b", []],
  ["a/+", "a/b", ["b"]],
  ["a/#", "a/b/c", ["b/c"]],
  ["a/+", "a", undefined],
  ["a/b", "a/b/c", undefined],
  ["#", "$SYS/x", undefined],
];
for (const [filter, topic, levels] of matches) {
  test(`${filter} ${levels ? "matches" : "does not match"} ${topic}`, () => {
    assert.deepEqual(matchTopic(filter, topic), levels);
  });
}

test("a length that never ends is refused", () => {
  assert.throws(() => packetLength(Buffer.alloc(10, 255)), /without length/);
});
