// Stands in for kube-apiserver where envtest starts one: the same flags, the same files, Kerb's API.
import { join } from "node:path";
import { systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { listen } from "../../server/http/listener.ts";
import { startCompaction } from "../../store/compaction.ts";
import { openLmdbStore } from "../../store/lmdb.ts";
import { openApiServer } from "../site/api-server.ts";
import { logLevel } from "../config.ts";
import { pinoLog } from "../pino-log.ts";
import { storePath } from "./etcd.ts";
import { openFilePki } from "./file-pki.ts";
import { helpText, parseFlags, type Flags, type FlagTable } from "./flags.ts";

const flagTable: FlagTable = {
  used: {
    "authorization-mode": "RBAC, or AlwaysAllow",
    "bind-address": "where it listens",
    "cert-dir": "holds apiserver.crt and apiserver.key",
    "client-ca-file": "whose client certificates are believed",
    "disable-admission-plugins": "admission plugins that are left out",
    "etcd-servers": "the URL of kerb's stand-in for etcd",
    "secure-port": "where it listens",
    "service-account-issuer": "who signs service-account tokens",
    "service-account-signing-key-file": "the key that signs service-account tokens",
    "service-cluster-ip-range": "where Services get their addresses",
    "tls-cert-file": "the server's certificate",
    "tls-private-key-file": "the server's key",
  },
  idle: [
    "advertise-address",
    "allow-privileged",
    "anonymous-auth",
    "api-audiences",
    "audit-log-path",
    "audit-policy-file",
    "enable-admission-plugins",
    "enable-aggregator-routing",
    "enable-priority-and-fairness",
    "event-ttl",
    "external-hostname",
    "feature-gates",
    "max-mutating-requests-inflight",
    "max-requests-inflight",
    "request-timeout",
    "runtime-config",
    "service-account-key-file",
    "storage-backend",
    "storage-media-type",
    "v",
    "vmodule",
    "watch-cache",
  ],
  switches: ["allow-privileged", "anonymous-auth", "enable-aggregator-routing", "watch-cache"],
};

/** Asks the etcd that was started for this server where the store is to be. */
async function storeDirectory(etcd: string | undefined): Promise<string> {
  if (!etcd) throw new Error("--etcd-servers must be specified");
  const why = `${etcd} is not kerb's stand-in for etcd (bin/envtest/etcd)`;
  const answer = await fetch(new URL(storePath, etcd)).catch((cause) => {
    throw new Error(why, { cause });
  });
  if (!answer.ok) throw new Error(why);
  const { directory } = (await answer.json()) as { directory: string };
  return directory;
}

async function start(flags: Flags, scope: Scope) {
  const [clock, random, log] = [systemClock, systemRandom, pinoLog(logLevel)];
  for (const name of flags.idle) log.debug(`--${name} means nothing here`);
  const directory = await storeDirectory(flags.list("etcd-servers")[0]);
  const store = await openLmdbStore(directory, { clock, log });
  scope.defer(() => store.close());
  scope.defer(startCompaction(store, { clock, log }));
  const certDir = flags.get("cert-dir") ?? "/var/run/kubernetes";
  const clientCa = flags.get("client-ca-file");
  const serviceAccountKey = flags.get("service-account-signing-key-file");
  const pki = await openFilePki(
    {
      cert: flags.get("tls-cert-file") ?? join(certDir, "apiserver.crt"),
      key: flags.get("tls-private-key-file") ?? join(certDir, "apiserver.key"),
      ...(clientCa && { clientCa }),
      ...(serviceAccountKey && { serviceAccountKey }),
    },
    clock,
  );
  const port = Number(flags.get("secure-port") ?? 6443);
  const issuer = flags.get("service-account-issuer");
  const ranges = flags.list("service-cluster-ip-range");
  const { server, auth } = await openApiServer({
    store,
    pki,
    serviceCidrs: ranges.length > 0 ? ranges : ["10.0.0.0/24"],
    securePort: port,
    ...(issuer && { issuer }),
    allowAll: flags.list("authorization-mode").includes("AlwaysAllow"),
    admissionOff: flags.list("disable-admission-plugins"),
    clock,
    random,
    log,
    scope,
  });
  const listener = await listen(server, {
    host: flags.get("bind-address") ?? "0.0.0.0",
    port,
    tls: { ...pki.serving(), clientCa: pki.ca() },
    authenticate: auth.authenticate,
    clock,
    log,
  });
  scope.defer(() => listener.close());
}

/** Runs until it is told to stop. */
export async function main(args: string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(helpText("kube-apiserver", "Kerb's API server in envtest", flagTable));
    return 0;
  }
  const scope = new Scope();
  const stopped = new Promise<void>((stop) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop());
  });
  try {
    await start(parseFlags(args, flagTable), scope);
    await stopped;
    return 0;
  } finally {
    await scope.close();
  }
}
