// Handlers of others that do what they should not, and what becomes of the rest.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { startDeviceCluster } from "../../../test/support/devices.ts";
import type { DeviceCluster } from "../../../test/support/devices.ts";
import { resource } from "../../client/client.ts";
import { GrpcConnection } from "../../lib/grpc.ts";
import { listenGrpc } from "../../lib/grpc-server.ts";
import type { GrpcListener } from "../../lib/grpc-server.ts";
import { silent } from "../../lib/log.ts";
import { discovery, registration } from "./discovery-protocol.ts";
import { debugEcho } from "../handlers/debug-echo.ts";
import { configurations } from "../kinds/configuration.ts";
import { instances } from "../kinds/instance.ts";
import { startRegistration } from "./registration.ts";

const namespace = "default";

let cluster: DeviceCluster;
let directory: string;
beforeEach(async () => {
  cluster = await startDeviceCluster();
  directory = await mkdtemp(join(tmpdir(), "akri-"));
  const { handlers } = await cluster.addNode("a", { handlers: [debugEcho] });
  await startRegistration({ directory, handlers, log: silent, scope: cluster.scope });
});
afterEach(async () => {
  await cluster.scope.close();
  await rm(directory, { recursive: true });
});

async function register(name: string, endpoint: string) {
  const connection = new GrpcConnection(`unix://${join(directory, "agent-registration.sock")}`);
  const names: Record<string, [string, string]> = {
    RegisterDiscoveryHandler: ["v0.RegisterDiscoveryHandlerRequest", "v0.Empty"],
  };
  await connection
    .service(registration.path, registration.types, names)
    .call("RegisterDiscoveryHandler", { name, endpoint, endpoint_type: "UDS" });
  connection.close();
}

/** A handler on a socket that answers each search with `devices`. */
async function serve(socket: string, devices: object[] | undefined): Promise<GrpcListener> {
  const stream = (_: unknown, write: (answer: object) => void) => {
    if (devices) write({ devices });
  };
  const Discover = { request: "v0.DiscoverRequest", response: "v0.DiscoverResponse", stream };
  const { path, types } = discovery;
  const listener = await listenGrpc(socket, [{ path, types, methods: { Discover } }]);
  cluster.scope.defer(() => listener.close());
  return listener;
}

const configure = (name: string, handler: string, details = "", more: object = {}) =>
  cluster.client.create(
    { ...configurations, namespace },
    {
      apiVersion: "akri.sh/v0",
      kind: "Configuration",
      metadata: { name },
      spec: { discoveryHandler: { name: handler, discoveryDetails: details, ...more } },
    },
  );

const entryOf = (name: string, reason: string) =>
  cluster.until(configurations, (all) =>
    all
      .find(({ metadata }) => metadata.name === name)
      ?.status?.nodes?.find((one: any) => one.reason === reason),
  );

const untilFound = (configuration: string, count: number) =>
  cluster.until(instances, (all) => {
    const found = all.filter(({ spec }) => spec.configurationName === configuration);
    return found.length === count && found;
  });

/** Beside the hostile one all goes on. */
async function othersAreFine() {
  await configure("fine", "debugEcho", "descriptions: [foo0]");
  await untilFound("fine", 1);
}

test("one that speaks no gRPC is told of, and the rest goes on", async () => {
  const socket = join(directory, "garbage.sock");
  const sockets = new Set<Socket>();
  const server = createServer((one) => {
    sockets.add(one);
    one.on("error", () => {});
    one.end("HTTP/1.1 200 OK\r\n\r\nhello");
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  cluster.scope.defer(() => {
    for (const one of sockets) one.destroy();
    server.close();
  });
  await register("garbage", socket);
  await configure("odd", "garbage");
  await entryOf("odd", "NoHandler");
  await othersAreFine();
});

test("one that never answers is waited for, and the rest goes on", async () => {
  const socket = join(directory, "mute.sock");
  await serve(socket, undefined);
  await register("mute", socket);
  await configure("quiet", "mute");
  assert.equal((await entryOf("quiet", "Searching")).message, "no handler answered yet");
  await othersAreFine();
});

test("one that tells of wrong devices and of one twice has the others", async () => {
  const socket = join(directory, "odd.sock");
  const path = { container_path: "relative", host_path: "/dev/null", permissions: "rw" };
  const otherwise = { id: "good", properties: { n: "2" } };
  await serve(socket, [{ id: "good" }, otherwise, { id: "bad", device_specs: [path] }]);
  await register("odd", socket);
  await configure("odd", "odd");
  await untilFound("odd", 1);
  const { message } = await entryOf("odd", "DevicesRefused");
  assert.match(message, /"good": its id is there twice; "bad": "relative" is no absolute path/);
});

test("of two devices with one digest the first keeps the name, and the other is told of", async () => {
  const details = (...names: string[]) => `descriptions: [${names.join(", ")}]`;
  const describe = (names: string[]) =>
    cluster.client.patch({ ...configurations, namespace, name: "pair" }, "merge", {
      spec: { discoveryHandler: { discoveryDetails: details(...names) } },
    });
  const whose = async (name: string) =>
    cluster.until(instances, (all) =>
      all.find(({ spec }) => spec.brokerProperties?.DEBUG_ECHO_DESCRIPTION === name),
    );
  await configure("pair", "debugEcho", details("foo5913", "foo6157", "bar"));
  await untilFound("pair", 2);
  const first = await whose("foo5913");
  const why = '"foo6157": its digest 53754f is that of foo5913';
  const told = (await cluster.until(configurations, ([one]) =>
    one?.status?.conditions?.find(({ reason }: any) => reason === "DevicesRefused"),
  )) as { message: string };
  assert.equal(told.message, `2 on 1 node; a: left out: ${why}`);
  await cluster.until(resource("v1", "events"), (all) =>
    all.find(({ reason, message }) => reason === "DevicesRefused" && message === told.message),
  );
  await describe(["foo6157", "foo5913", "new"]);
  await whose("new");
  assert.equal((await whose("foo5913")).metadata.uid, first.metadata.uid);
  await describe(["foo6157"]);
  assert.equal((await whose("foo6157")).metadata.name, first.metadata.name);
});

test("one that dies and returns under another name is that other one", async () => {
  const socket = join(directory, "lamps.sock");
  const first = await serve(socket, [{ id: "lamp" }]);
  await register("lamps", socket);
  await configure("lamps", "lamps");
  await configure("lights", "lights");
  await untilFound("lamps", 1);
  await entryOf("lights", "NoHandler");
  first.close();
  await rm(socket, { force: true });
  await serve(socket, [{ id: "lamp" }]);
  await register("lights", socket);
  await untilFound("lights", 1);
});

test("a password that is not there is asked for by name", async () => {
  const secretKeyRef = { name: "camera", key: "password", namespace };
  const discoveryProperties = [{ name: "password", valueFrom: { secretKeyRef } }];
  await configure("locked", "debugEcho", "descriptions: [foo0]", { discoveryProperties });
  const { message } = await entryOf("locked", "PropertyError");
  assert.equal(message, "discoveryProperty password: secret default/camera not found");
  await othersAreFine();
  await cluster.client.create(
    { ...resource("v1", "secrets"), namespace },
    { apiVersion: "v1", kind: "Secret", metadata: { name: "camera" }, data: { password: "eA==" } },
  );
  await untilFound("locked", 1);
});

test("a Configuration that goes while it is searched for leaves nothing behind", async () => {
  for (let round = 0; round < 5; round++) {
    await configure("brief", "debugEcho", "descriptions: [foo0, foo1]");
    if (round % 2 === 1) await untilFound("brief", 2);
    await cluster.client.delete({ ...configurations, namespace, name: "brief" });
    await untilFound("brief", 0);
  }
  await othersAreFine();
  assert.equal((await cluster.client.list({ ...instances, namespace })).items.length, 1);
});

test("a device that claims another's id within its Configuration does not take its place", async () => {
  const [real, fake] = ["real", "fake"].map((name) => join(directory, `${name}.sock`));
  await serve(real!, [{ id: "gate", properties: { FROM: "real" } }]);
  await register("cams", real!);
  await configure("cams", "cams");
  await untilFound("cams", 1);
  await serve(fake!, [{ id: "gate", properties: { FROM: "fake" } }, { id: "other" }]);
  await register("cams", fake!);
  const found = await untilFound("cams", 2);
  const froms = found.map(({ spec }) => spec.brokerProperties?.FROM).filter(Boolean);
  assert.deepEqual(froms, ["real"]);
});
