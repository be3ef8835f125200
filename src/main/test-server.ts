// An API server in the process of somebody's tests: the whole server over a store that forgets. It leaves
// no files, and nothing of it stays when it is closed. `bin/testing.d.ts` tells its users its types.
import type { Client } from "../client/client.ts";
import { localClient } from "../client/local.ts";
import { addressesOf } from "./site/site-settings.ts";
import type { Draft } from "../kinds/object.ts";
import { systemClock } from "../lib/clock.ts";
import { silent } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { Scope } from "../lib/scope.ts";
import { clusterKubeconfig } from "../server/auth/kubeconfig.ts";
import { openPki } from "../server/auth/pki.ts";
import { listen } from "../server/http/listener.ts";
import { memoryStore } from "../store/memory.ts";
import { openApiServer } from "./site/api-server.ts";

export interface TestServerOptions {
  /** False: only reached from inside the process, by `client`. */
  listen?: boolean;
  /** Where it listens; by default any free port of 127.0.0.1. */
  host?: string;
  port?: number;
  /** CustomResourceDefinitions that are there from the start. */
  crds?: object[];
  /** Run the controllers and the scheduler too; pods still run nowhere. */
  controllers?: boolean;
}

/** How a client library reaches the server. PEM texts. */
export interface ClientConfig {
  server: string;
  ca: string;
  cert: string;
  key: string;
}

export interface TestServer {
  /** Of an administrator; absent when the server does not listen. */
  config: ClientConfig | undefined;
  /** The same as a kubeconfig file's text; "" when the server does not listen. */
  kubeconfig: string;
  /** Acts as `user`, in process; by default as an administrator. Objects it returns are shared: copy before changing. */
  client(user?: { name: string; groups?: string[] }): Client;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const admin = { name: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] };
const crdTarget = {
  group: "apiextensions.k8s.io",
  version: "v1",
  resource: "customresourcedefinitions",
};

export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const scope = new Scope();
  try {
    return await open(options, scope);
  } catch (error) {
    await scope.close();
    throw error;
  }
}

async function open(options: TestServerOptions, scope: Scope): Promise<TestServer> {
  const { host = "127.0.0.1", port = 0, crds = [], controllers = false } = options;
  const world = { clock: systemClock, random: systemRandom, log: silent, scope };
  const store = memoryStore();
  scope.defer(() => store.close());
  const pki = await openPki(
    { read: async () => undefined, write: async () => {} },
    { clock: systemClock, names: [host] },
  );
  const open = await openApiServer({
    ...world,
    store,
    pki,
    serviceCidrs: ["10.0.0.0/24"],
    securePort: port || 443,
    // Nobody makes the accounts that pods would need.
    admissionOff: controllers ? [] : ["ServiceAccount"],
  });
  const { server, auth } = open;
  const client: TestServer["client"] = ({ name, groups = [] } = admin) =>
    localClient(server, { name, groups: [...groups, "system:authenticated"] }, "test");
  for (const crd of crds) await client().create(crdTarget, crd as Draft);
  if (controllers) await startEverything(open, { ...world, pki });
  let config: ClientConfig | undefined;
  if (options.listen !== false) {
    const tls = { ...pki.serving(), clientCa: pki.ca() };
    const { authenticate } = auth;
    const listener = await listen(server, { ...world, host, port, tls, authenticate });
    scope.defer(() => listener.close());
    const shown = host.includes(":") ? `[${host}]` : host;
    config = { server: `https://${shown}:${listener.port}`, ca: pki.ca(), ...pki.admin() };
  }
  return {
    config,
    kubeconfig: config ? clusterKubeconfig(config) : "",
    client,
    close: () => scope.close(),
    [Symbol.asyncDispose]: () => scope.close(),
  };
}

type Open = Awaited<ReturnType<typeof openApiServer>>;
type Parts = Omit<
  Parameters<typeof import("./site/control.ts").startControl>[0],
  "plane" | "informers" | "addresses"
>;

async function startEverything(
  { client, discover }: Open,
  parts: Parts & { pki: Awaited<ReturnType<typeof openPki>> },
) {
  const [{ Informers }, { startControl }] = await Promise.all([
    import("../client/informers.ts"),
    import("./site/control.ts"),
  ]);
  const informers = new Informers({ client: client("system:kube-controller-manager"), ...parts });
  const plane = { client, discover, pki: parts.pki };
  await startControl({ plane, informers, addresses: addressesOf(0), ...parts });
}
