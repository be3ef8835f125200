// One handler of Kerb's on its own, for whatever agent speaks Akri's discovery protocol: it registers, answers one
// stream per Configuration, and registers again when the agent has let go of it.
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../lib/clock.ts";
import { GrpcConnection } from "../../lib/grpc.ts";
import { grpcError, listenGrpc } from "../../lib/grpc-server.ts";
import type { Scope } from "../../lib/scope.ts";
import { discovery, registration, registrationSocket } from "./discovery-protocol.ts";
import { DetailsError } from "./handler.ts";
import type { Device, DiscoveryHandler, HandlerWorld } from "./handler.ts";
import { Signal } from "../../lib/signal.ts";
import { watchFolders } from "../../lib/watch-folder.ts";

const answerMsMax = 10_000;
/** Several streams most often end together. */
const settleMs = 100;
/**
 * An answer is said once more: an agent of Akri's that starts again may have applied it to Instances that it was
 * still removing, and would not look again for ten minutes.
 */
const againMs = 5_000;

export interface ServeOptions {
  handler: DiscoveryHandler;
  /** Where the agent's socket is, or will be: `/var/lib/akri`. */
  directory: string;
  /** `IP:PORT` to be reached at over the network; default: a socket in `directory`. */
  listen?: string;
  world: HandlerWorld;
  scope: Scope;
}

const paths = ({ containerPath, hostPath }: { containerPath: string; hostPath: string }) => ({
  container_path: containerPath,
  host_path: hostPath,
});

const messageOf = ({ id, properties, mounts, nodes }: Device) => ({
  id,
  properties,
  mounts: mounts.map((one) => ({ ...paths(one), read_only: one.readOnly })),
  device_specs: nodes.map((one) => ({ ...paths(one), permissions: one.permissions })),
});

type Write = (answer: { devices: ReturnType<typeof messageOf>[] }) => void;

async function discover(
  { handler, world }: ServeOptions,
  { discovery_details: details, discovery_properties: given }: any,
  { write, signal }: { write: Write; signal: AbortSignal },
) {
  const entries = Object.entries<any>(given ?? {});
  const properties = new Map(entries.map(([name, value]) => [name, value?.vec ?? undefined]));
  let cancelAgain = () => {};
  try {
    for await (const devices of handler.discover({ details, properties, signal }, world)) {
      // The protocol has no word for what cannot be offered.
      const offered = devices.filter(({ refused }) => refused === undefined);
      const say = () => {
        if (!signal.aborted) write({ devices: offered.map(messageOf) });
      };
      cancelAgain();
      say();
      cancelAgain = world.clock.after(againMs, say);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof DetailsError) throw grpcError("INVALID_ARGUMENT", error.message);
    throw error;
  } finally {
    cancelAgain();
  }
}

async function register({ handler, directory, listen }: ServeOptions, socket: string) {
  const connection = new GrpcConnection(`unix://${join(directory, registrationSocket)}`);
  const names: Record<string, [string, string]> = {
    RegisterDiscoveryHandler: ["v0.RegisterDiscoveryHandlerRequest", "v0.Empty"],
  };
  const { name, shared } = handler;
  const where = listen
    ? { endpoint: `http://${listen}`, endpoint_type: "NETWORK" }
    : { endpoint: socket, endpoint_type: "UDS" };
  try {
    await connection
      .service(registration.path, registration.types, names)
      .call("RegisterDiscoveryHandler", { name, shared, ...where }, { timeoutMs: answerMsMax });
  } finally {
    connection.close();
  }
}

/** A new socket is a new agent. */
const agentAt = async (directory: string) => {
  const found = await stat(join(directory, registrationSocket)).catch(() => undefined);
  return found && `${found.ino} ${found.ctimeMs}`;
};

/** Serves until the scope ends; `registered` is told each time an agent took it. */
export async function serveHandler(options: ServeOptions, registered: () => void): Promise<void> {
  const { handler, directory, listen, world, scope } = options;
  await mkdir(directory, { recursive: true });
  const socket = join(directory, `${handler.name}.sock`);
  if (!listen) await rm(socket, { force: true });
  const wake = new Signal(scope.signal);
  let known: string | undefined;
  const stream = async (request: any, write: Write, signal: AbortSignal) => {
    try {
      await discover(options, request, { write, signal });
    } finally {
      known = undefined;
      wake.raise();
    }
  };
  const listener = await listenGrpc(listen ?? socket, [
    {
      path: discovery.path,
      types: discovery.types,
      methods: {
        Discover: { request: "v0.DiscoverRequest", response: "v0.DiscoverResponse", stream },
      },
    },
  ]);
  scope.defer(async () => {
    listener.close();
    if (!listen) await rm(socket, { force: true });
  });
  const look = async () => {
    const { clock } = world;
    for await (const _ of watchFolders([directory], { clock, signal: scope.signal })) wake.raise();
  };
  void look();
  do {
    const agent = await agentAt(directory);
    if (agent && agent !== known) {
      known = await register(options, socket).then(
        () => agent,
        () => undefined,
      );
      if (known) registered();
    }
    await sleep(world.clock, settleMs, scope.signal).catch(() => {});
  } while (await wake.next());
}
