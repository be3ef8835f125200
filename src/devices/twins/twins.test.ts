// Twins against devices of the test, through a cluster.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { startDeviceCluster } from "../../../test/support/devices.ts";
import type { DeviceCluster } from "../../../test/support/devices.ts";
import { debugEcho } from "../handlers/debug-echo.ts";
import { modbus } from "../handlers/modbus.ts";
import { mqtt } from "../handlers/mqtt.ts";
import { opcua } from "../handlers/opcua.ts";
import { scan } from "../handlers/scan.ts";
import { configurations } from "../kinds/configuration.ts";
import { deviceTwins } from "../kinds/device-twin.ts";
import type { DeviceTwin } from "../kinds/device-twin.ts";
import { startFakeModbusDevice } from "../modbus/fake-device.ts";
import { MqttClient } from "../mqtt/client.ts";
import { startFakeBroker } from "../mqtt/fake-broker.ts";
import type { UaServer } from "../opcua/find-servers.ts";
import { startFakeUaServer } from "../opcua/fake-server.ts";
import { nodeOf, writeVariant } from "../opcua/values.ts";

const namespace = "default";
const handlers = [debugEcho, modbus, mqtt, opcua, scan];

let cluster: DeviceCluster;
beforeEach(async () => {
  cluster = await startDeviceCluster();
  await cluster.addNode("a", { handlers });
});
afterEach(() => cluster.scope.close());

function configure(handler: string, details: object, properties: object[]) {
  const discoveryHandler = { name: handler, discoveryDetails: JSON.stringify(details) };
  return cluster.client.create(
    { ...configurations, namespace },
    {
      apiVersion: "akri.sh/v0",
      kind: "Configuration",
      metadata: { name: "things" },
      spec: { discoveryHandler, twin: { properties } },
    },
  );
}

const until = (holds: (twin: DeviceTwin) => unknown) =>
  cluster.until(deviceTwins, (all) => {
    const [twin] = all as DeviceTwin[];
    return twin && holds(twin) ? twin : undefined;
  });

const reported = ({ status }: DeviceTwin, name: string) =>
  status?.properties?.find((one) => one.name === name)?.reported;
const condition = ({ status }: DeviceTwin, type: string) =>
  status?.conditions?.find((one) => one.type === type);

async function desire(values: Record<string, string>) {
  const { metadata, spec } = await until(() => true);
  const target = { ...deviceTwins, namespace, name: metadata.name };
  const properties = spec.properties!.map((one) => ({
    ...one,
    desired: values[one.name] ?? one.desired,
  }));
  const patch = JSON.parse(JSON.stringify({ spec: { properties } }));
  await cluster.client.patch(target, "merge", patch);
}

const speed = { name: "speed", mode: "ReadWrite", intervalSeconds: 1, access: { address: 4 } };

test("what is desired of a property that is only read is refused by its name", async () => {
  const device = await startFakeModbusDevice(cluster.scope);
  device.registers[4] = 900;
  const addresses = [`127.0.0.1:${device.port}`];
  const properties = [{ ...speed, mode: "ReadOnly" }];
  await configure("modbus", { addresses, intervalSeconds: 1 }, properties);
  await until((twin) => reported(twin, "speed") === "900");
  await desire({ speed: "5" });
  const twin = await until((one) => condition(one, "Synced")?.reason === "ReadOnly");
  assert.equal(condition(twin, "Synced")?.status, "False");
  assert.match(twin.status!.properties![0]!.error!, /it is ReadOnly/);
  assert.equal(device.registers[4], 900);
});

test("a register is reported, and set by editing the twin", async () => {
  const device = await startFakeModbusDevice(cluster.scope);
  device.registers[4] = 900;
  const addresses = [`127.0.0.1:${device.port}`];
  const far = { name: "far", intervalSeconds: 1, access: { address: 5000 } };
  await configure("modbus", { addresses, intervalSeconds: 1 }, [speed, far]);
  const first = await until((twin) => reported(twin, "speed") === "900");
  assert.equal(condition(first, "Online")?.status, "True");
  const [, wrong] = first.status!.properties!;
  assert.equal(wrong?.error, "there is no such address");
  await desire({ speed: "1200" });
  await until(
    (twin) => reported(twin, "speed") === "1200" && condition(twin, "Synced")?.status === "True",
  );
  assert.equal(device.registers[4], 1200);
});

test("a value that is too long to be told is named as that, and the others are told", async () => {
  const broker = await startFakeBroker(cluster.scope);
  broker.publish("hall/lamp", JSON.stringify({ on: true, log: "x".repeat(5000) }));
  const of = (field: string) => ({ name: field, intervalSeconds: 1, access: { field } });
  const brokerUrl = `mqtt://127.0.0.1:${broker.port}`;
  await configure("mqtt", { brokerUrl, topics: ["+/lamp"] }, [of("on"), of("log")]);
  const twin = await until((one) => reported(one, "on") === "true");
  assert.match(twin.status!.properties![1]!.error!, /longer than 4096/);
});

test("what is desired while the device is away is written when it is back", async () => {
  const device = await startFakeModbusDevice(cluster.scope);
  const addresses = [`127.0.0.1:${device.port}`];
  await configure("modbus", { addresses, intervalSeconds: 1 }, [speed]);
  await until((twin) => reported(twin, "speed") === "0");
  await device.stop();
  await until((twin) => condition(twin, "Online")?.status === "False");
  await desire({ speed: "77" });
  await until((twin) => condition(twin, "Synced")?.reason === "Queued");
  const back = await startFakeModbusDevice(cluster.scope, device.port);
  await until((twin) => reported(twin, "speed") === "77");
  assert.equal(back.registers[4], 77);
});

test("a device that speaks MQTT is told on one topic and reports on another", async () => {
  const broker = await startFakeBroker(cluster.scope);
  broker.publish("room/lamp", '{"brightness":10}');
  const url = `mqtt://127.0.0.1:${broker.port}`;
  const lamp = await MqttClient.open({
    ...cluster,
    url,
    clientId: "lamp",
    signal: cluster.scope.signal,
  });
  lamp.subscribe(["room/lamp/set"]);
  const obey = async () => {
    for await (const { payload } of lamp.publications()) {
      void lamp.publish("room/lamp", Buffer.from(payload), { retain: true });
    }
  };
  obey().catch(() => {});
  const access = { setTopic: "$(TOPIC)/set", field: "brightness" };
  const brightness = { name: "brightness", mode: "ReadWrite", intervalSeconds: 1, access };
  await configure("mqtt", { brokerUrl: url, topics: ["room/+"] }, [brightness]);
  await until((twin) => reported(twin, "brightness") === "10");
  await desire({ brightness: "80" });
  await until((twin) => reported(twin, "brightness") === "80");
  assert.equal(broker.retained.get("room/lamp")?.toString(), '{"brightness":80}');
});

test("a device with an HTTP interface is read and written", async () => {
  let target = 20;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      if (request.method === "PUT") target = JSON.parse(body).target;
      response.end(JSON.stringify({ target }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cluster.scope.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  const addresses = [`127.0.0.1:${(server.address() as AddressInfo).port}`];
  const access = { path: "/heating", field: "target" };
  const heating = { name: "heating", mode: "ReadWrite", intervalSeconds: 1, access };
  await configure("scan", { addresses, http: { path: "/" } }, [heating]);
  await until((twin) => reported(twin, "heating") === "20");
  await desire({ heating: "22.5" });
  await until((twin) => reported(twin, "heating") === "22.5");
  assert.equal(target, 22.5);
});

test("a node of an OPC UA server is reported, and set by editing the twin", async () => {
  const node = nodeOf("ns=1;s=Speed").toString("hex");
  const values = new Map([[node, writeVariant(11, "21.5")]]);
  const servers: UaServer[] = [{ name: "boiler", kind: "Server", urls: [] }];
  // Each question is asked after the channel was renewed.
  const url = await startFakeUaServer({ servers, values, channelMs: 0, scope: cluster.scope });
  servers[0]!.urls.push(url);
  const opcuaDiscoveryMethod = { standard: { discoveryUrls: [url] } };
  const boiler = { ...speed, access: { node: "ns=1;s=Speed" } };
  const none = { name: "none", intervalSeconds: 1, access: { node: "i=4" } };
  await configure("opcua", { opcuaDiscoveryMethod }, [boiler, none]);
  const twin = await until((one) => reported(one, "speed") === "21.5");
  assert.equal(twin.status!.properties![1]?.error, "the server answers BadNodeIdUnknown");
  await desire({ speed: "30" });
  await until((one) => reported(one, "speed") === "30");
  assert.equal(values.get(node)?.readDoubleLE(1), 30);
});

test("a twin of a handler that reads no values says so", async () => {
  const discoveryDetails = { descriptions: ["one"] };
  await configure("debugEcho", discoveryDetails, [speed]);
  const twin = await until((one) => condition(one, "Online"));
  assert.match(
    condition(twin, "Online")?.message ?? "",
    /handler debugEcho reads and writes no values/,
  );
});
