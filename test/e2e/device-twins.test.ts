// The values of devices as objects, with kubectl: a pump behind Modbus and a lamp behind an MQTT broker.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startFakeModbusDevice } from "../../src/devices/modbus/fake-device.ts";
import { MqttClient } from "../../src/devices/mqtt/client.ts";
import { startFakeBroker } from "../../src/devices/mqtt/fake-broker.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Scope } from "../../src/lib/scope.ts";
import { eventually } from "../support/eventually.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
const scope = new Scope();

before(async () => void (site = await startSite("--name", "twins", "--devices")));
after(async () => {
  await scope.close();
  await site.remove();
});

const configure = (name: string, handler: string, details: object, property: object) =>
  site.apply(
    JSON.stringify({
      apiVersion: "akri.sh/v0",
      kind: "Configuration",
      metadata: { name },
      spec: {
        discoveryHandler: { name: handler, discoveryDetails: JSON.stringify(details) },
        twin: { properties: [{ mode: "ReadWrite", intervalSeconds: 1, ...property }] },
      },
    }),
  );

const twinOf = async (name: string) => {
  const { items } = await site.get("twin", "-l", `akri.sh/configuration=${name}`);
  return items[0];
};

const untilReported = (name: string, value: string) =>
  eventually(async () => {
    const twin = await twinOf(name);
    return twin.status.properties[0].reported === value && twin;
  }, `${value} of ${name}`);

async function desire(name: string, value: string) {
  const { metadata } = await twinOf(name);
  const patch = JSON.stringify([{ op: "add", path: "/spec/properties/0/desired", value }]);
  await site.kubectl(["patch", "twin", metadata.name, "--type=json", "-p", patch]);
}

const wait = async (name: string, condition: string) => {
  const { metadata } = await twinOf(name);
  await site.kubectl([
    "wait",
    "twin",
    metadata.name,
    `--for=condition=${condition}`,
    "--timeout=120s",
  ]);
};

test("a pump's speed is read, set, and set again once the pump is back", async () => {
  const pump = await startFakeModbusDevice(scope);
  pump.registers[4] = 900;
  const details = { addresses: [`127.0.0.1:${pump.port}`], intervalSeconds: 1 };
  await configure("pumps", "modbus", details, { name: "speed", access: { address: 4 } });
  await untilReported("pumps", "900");
  await desire("pumps", "1200");
  await untilReported("pumps", "1200");
  assert.equal(pump.registers[4], 1200);
  await pump.stop();
  await wait("pumps", "Online=false");
  await desire("pumps", "300");
  await wait("pumps", "Synced=false");
  assert.match(await site.kubectl(["get", "twin", "-o", "wide"]), /twins +False +False/);
  const back = await startFakeModbusDevice(scope, pump.port);
  await untilReported("pumps", "300");
  await wait("pumps", "Synced");
  assert.equal(back.registers[4], 300);
});

test("a lamp is told over MQTT and says what it does", async () => {
  const broker = await startFakeBroker(scope);
  const url = `mqtt://127.0.0.1:${broker.port}`;
  const parts = { clock: systemClock, signal: scope.signal };
  const lamp = await MqttClient.open({ url, clientId: "lamp", ...parts });
  lamp.subscribe(["room/lamp/set"]);
  const obey = async () => {
    for await (const { payload } of lamp.publications()) {
      void lamp.publish("room/lamp", Buffer.from(payload), { retain: true });
    }
  };
  obey().catch(() => {});
  broker.publish("room/lamp", '{"brightness":10}');
  const access = { setTopic: "$(TOPIC)/set", field: "brightness" };
  const details = { brokerUrl: url, topics: ["room/+"] };
  await configure("lamps", "mqtt", details, { name: "brightness", access });
  await untilReported("lamps", "10");
  await desire("lamps", "80");
  await untilReported("lamps", "80");
});
