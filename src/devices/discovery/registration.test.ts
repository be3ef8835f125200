// Handlers of others, by Akri's protocol.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { handlerWorld } from "../../../test/support/handlers.ts";
import { GrpcConnection } from "../../lib/grpc.ts";
import { grpcError, listenGrpc } from "../../lib/grpc-server.ts";
import { silent } from "../../lib/log.ts";
import { Scope } from "../../lib/scope.ts";
import { discovery, registration } from "./discovery-protocol.ts";
import { DetailsError } from "./handler.ts";
import { Handlers } from "./handlers.ts";
import { startRegistration } from "./registration.ts";

let directory: string;
let scope: Scope;
let handlers: Handlers;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "akri-"));
  scope = new Scope();
  handlers = new Handlers([]);
  await startRegistration({ directory, handlers, log: silent, scope });
});
afterEach(async () => {
  await scope.close();
  await rm(directory, { recursive: true });
});

async function register(message: object) {
  const connection = new GrpcConnection(`unix://${join(directory, "agent-registration.sock")}`);
  const names: Record<string, [string, string]> = {
    RegisterDiscoveryHandler: ["v0.RegisterDiscoveryHandlerRequest", "v0.Empty"],
  };
  try {
    await connection
      .service(registration.path, registration.types, names)
      .call("RegisterDiscoveryHandler", message);
  } finally {
    connection.close();
  }
}

async function serve(socket: string, answer: (request: any) => object) {
  const stream = (request: any, write: (message: object) => void) => write(answer(request));
  const Discover = { request: "v0.DiscoverRequest", response: "v0.DiscoverResponse", stream };
  const { path, types } = discovery;
  const listener = await listenGrpc(socket, [{ path, types, methods: { Discover } }]);
  scope.defer(() => listener.close());
}

const ask = () => {
  const [handler] = handlers.named("lamps");
  const stop = new AbortController();
  scope.defer(() => stop.abort());
  const properties = new Map([["password", Buffer.from("secret")]]);
  const request = { details: "all", properties, signal: stop.signal };
  return handler!.discover(request, handlerWorld())[Symbol.asyncIterator]();
};

test("a handler that registers is asked, and its devices are understood", async () => {
  const socket = join(directory, "lamps.sock");
  let asked: any;
  await serve(socket, (request) => {
    asked = request;
    const paths = { container_path: "/dev/lamp", host_path: "/dev/null" };
    const lamp = {
      id: "lamp0",
      properties: { COLOUR: "red" },
      mounts: [{ ...paths, read_only: true }],
      device_specs: [{ ...paths, permissions: "rw" }],
    };
    return { devices: [lamp] };
  });
  await register({ name: "lamps", endpoint: socket, endpoint_type: "UDS", shared: true });
  assert.equal(handlers.named("lamps")[0]?.shared, true);
  const { value } = await ask().next();
  const paths = { containerPath: "/dev/lamp", hostPath: "/dev/null" };
  assert.deepEqual(value, [
    {
      id: "lamp0",
      properties: { COLOUR: "red" },
      mounts: [{ ...paths, readOnly: true }],
      nodes: [{ ...paths, permissions: "rw" }],
    },
  ]);
  assert.equal(asked.discovery_details, "all");
  assert.equal(Buffer.from(asked.discovery_properties.password.vec).toString(), "secret");
});

test("a handler that registers again takes its own place", async () => {
  const endpoint = { name: "lamps", endpoint: "/tmp/lamps.sock", endpoint_type: "UDS" };
  await register(endpoint);
  await register({ ...endpoint, shared: true });
  assert.deepEqual(
    handlers.named("lamps").map(({ shared }) => shared),
    [true],
  );
});

test("an endpoint that nobody serves is forgotten until it registers again", async () => {
  const endpoint = join(directory, "gone.sock");
  await register({ name: "lamps", endpoint, endpoint_type: "UDS" });
  await assert.rejects(ask().next());
  assert.deepEqual(handlers.named("lamps"), []);
});

test("registrations without a name or a usable endpoint are refused", async () => {
  const wrong = [
    { name: "", endpoint: "/tmp/x.sock" },
    { name: "lamps", endpoint: "nowhere", endpoint_type: "NETWORK" },
  ];
  for (const message of wrong) await assert.rejects(register(message), { code: 3 });
  assert.deepEqual(handlers.named("lamps"), []);
});

test("what a handler calls a wrong argument is an error of the details", async () => {
  const socket = join(directory, "lamps.sock");
  const { path, types } = discovery;
  const answer = () => {
    throw grpcError("INVALID_ARGUMENT", "no such lamp");
  };
  const Discover = { request: "v0.DiscoverRequest", response: "v0.DiscoverResponse", answer };
  const listener = await listenGrpc(socket, [{ path, types, methods: { Discover } }]);
  scope.defer(() => listener.close());
  await register({ name: "lamps", endpoint: socket, endpoint_type: "UDS" });
  await assert.rejects(ask().next(), (error) => {
    assert.ok(error instanceof DetailsError);
    return error.message === "no such lamp";
  });
});
