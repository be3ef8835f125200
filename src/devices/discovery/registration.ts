// Where discovery handlers of others register, by Akri's protocol: `agent-registration.sock` in the folder that
// both sides know.
import { chmod, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { grpcError, listenGrpc } from "../../lib/grpc-server.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { registration, registrationSocket } from "./discovery-protocol.ts";
import type { Handlers } from "./handlers.ts";
import { remoteHandler } from "./remote-handler.ts";
import type { Registered } from "./remote-handler.ts";

const handlersMax = 256;

export interface RegistrationOptions {
  /** `/var/lib/akri` in Akri's chart. */
  directory: string;
  handlers: Handlers;
  log: Log;
  scope: Scope;
}

interface Entry {
  shared: boolean;
  /** How often it registered. */
  times: number;
  remove: () => void;
}

function refuseWrong({ name, endpoint, endpointType }: Registered) {
  if (!name) throw grpcError("INVALID_ARGUMENT", "a discovery handler needs a name");
  if (endpointType === "UDS" ? !endpoint.includes("/") : !/:\d+\/?$/.test(endpoint)) {
    throw grpcError("INVALID_ARGUMENT", `the endpoint ${JSON.stringify(endpoint)} is invalid`);
  }
}

/** Resolves once handlers can register. */
export async function startRegistration({ directory, handlers, log, scope }: RegistrationOptions) {
  const known = new Map<string, Entry>();
  const register = (one: Registered) => {
    const key = `${one.name}@${one.endpoint}`;
    const before = known.get(key);
    if (before?.shared === one.shared) {
      // Handlers register again whenever one of their streams ended; the others go on.
      before.times += 1;
      return handlers.retry(one.name);
    }
    before?.remove();
    if (!before && known.size >= handlersMax) {
      throw grpcError("INVALID_ARGUMENT", `more than ${handlersMax} discovery handlers`);
    }
    const entry: Entry = { shared: one.shared, times: 1, remove: () => {} };
    const handler = remoteHandler(one, () => {
      const { times } = entry;
      return () => {
        // It may have come back before its death was seen.
        if (known.get(key) !== entry || entry.times !== times) return;
        known.delete(key);
        entry.remove();
      };
    });
    entry.remove = handlers.add(handler);
    known.set(key, entry);
    log.info("a discovery handler registered", { handler: one.name, endpoint: one.endpoint });
  };
  const path = join(directory, registrationSocket);
  await mkdir(directory, { recursive: true });
  await rm(path, { force: true });
  const listener = await listenGrpc(path, [
    {
      path: registration.path,
      types: registration.types,
      methods: {
        RegisterDiscoveryHandler: {
          request: "v0.RegisterDiscoveryHandlerRequest",
          response: "v0.Empty",
          answer: ({ name, endpoint, endpoint_type, shared }: any) => {
            const one = { name, endpoint, endpointType: endpoint_type, shared };
            refuseWrong(one);
            register(one);
            return {};
          },
        },
      },
    },
  ]);
  await chmod(path, 0o600);
  scope.defer(async () => {
    listener.close();
    await rm(path, { force: true });
  });
}
