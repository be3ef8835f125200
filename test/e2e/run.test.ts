// Wings of Kerb on clusters that are there already, which they know by their kubeconfigs alone. The clusters are
// Kerb's test servers, or kube-apiservers of the program that KUBE_APISERVER names.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startServer } from "../../src/main/test-server.ts";
import { run } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { startKubernetes } from "../support/kube-apiserver.ts";
import { freePort, kerb, Site } from "../support/site.ts";

const program = process.env["KUBE_APISERVER"];
let folder: string;
const stops: (() => Promise<void>)[] = [];

/** Somebody's cluster, as a kubeconfig. */
async function cluster(name: string): Promise<Site> {
  const directory = mkdtempSync(join(folder, name));
  if (program) {
    const peer = await startKubernetes(program, { directory });
    stops.push(peer.stop);
  } else {
    const server = await startServer({ controllers: true });
    stops.push(() => server.close());
    writeFileSync(join(directory, "kubeconfig"), server.kubeconfig, { mode: 0o600 });
  }
  return new Site(directory, 0);
}

function end(child: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill();
  return ended;
}

/** `kerb run`; resolves once the wings act. */
async function wings(names: string, { kubeconfig }: Site, ...options: string[]) {
  const args = ["run", "--kubeconfig", kubeconfig, "--wings", names, ...options];
  const child = spawn(kerb, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  }
  stops.push(() => end(child));
  const isActing = async () => names.split(",").every((name) => said.includes(` ${name} acts`));
  await eventually(isActing, `the wings ${names}`).catch((error) => {
    throw new Error(`${error.message}\n${said}`);
  });
}

let hub: Site;
let site: Site;
let door: number;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "kerb-run-"));
  [hub, site] = await Promise.all([cluster("hub"), cluster("site")]);
  door = await freePort();
  const ports = ["--ingress-http-port", String(door), "--ingress-https-port"];
  const here = [...ports, String(await freePort()), "--ingress-address", "127.0.0.1"];
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: "edge" } };
  await site.kubectl(["create", "-f", "-"], { input: JSON.stringify(node) });
  const machine = ["--node", "edge", "--kubelet-directory", mkdtempSync(join(folder, "kubelet"))];
  const all = "member,ingress,gitops,devices,device-node";
  await Promise.all([wings("hub", hub), wings(all, site, ...here, ...machine)]);
});
after(async () => {
  for (const stop of stops.toReversed()) await stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a cluster of others is a site of a cluster of others", async () => {
  const asked = ["token", "create", "--site", "farm", "--kubeconfig", hub.kubeconfig];
  const bootstrap = join(folder, "bootstrap");
  writeFileSync(bootstrap, await run(kerb, asked), { mode: 0o600 });
  const whom = ["--name", "farm", "--kubeconfig", site.kubeconfig];
  const said = await run(kerb, ["attach", "--bootstrap-kubeconfig", bootstrap, ...whom]);
  assert.match(said, /Attached as farm/);
  const condition = "--for=condition=ManagedClusterConditionAvailable";
  await hub.kubectl(["wait", "managedcluster/farm", condition, "--timeout=120s"]);
  // A site says what it is a moment after it joined.
  const version = await eventually(async () => {
    const { status } = await hub.get("managedcluster", "farm");
    return status.version?.kubernetes as string | undefined;
  }, "its version");
  const { gitVersion } = JSON.parse(await site.kubectl(["get", "--raw", "/version"]));
  assert.equal(version, gitVersion);
});

const work = `
apiVersion: work.open-cluster-management.io/v1
kind: ManifestWork
metadata: {name: paint, namespace: farm}
spec:
  workload:
    manifests:
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: paint, namespace: default}, data: {colour: red}}
`;

test("a work of the hub is done there, and taken back", async () => {
  await hub.apply(work);
  const available = ["--for=condition=Available", "--timeout=120s"];
  await hub.kubectl(["wait", "manifestwork/paint", "-n", "farm", ...available]);
  assert.equal((await site.get("configmap", "paint")).data.colour, "red");
});

test("kubectl goes through that hub to the site", async () => {
  const { clusters, contexts, users } = JSON.parse(
    await hub.kubectl(["config", "view", "--raw", "-o", "json"]),
  );
  const [one] = clusters;
  one.cluster.server += "/apis/proxy.fleet.kerb.dev/v1alpha1/managedclusters/farm/proxy";
  const through = { apiVersion: "v1", kind: "Config", clusters, contexts, users };
  const at = new Site(mkdtempSync(join(folder, "through")), 0);
  const current = { "current-context": contexts[0].name };
  writeFileSync(at.kubeconfig, JSON.stringify({ ...through, ...current }), { mode: 0o600 });
  const found = await eventually(() => at.get("configmap", "paint"), "the way to the site");
  assert.equal(found.data.colour, "red");
});

test("a machine of others looks for leaf devices, and says what it saw", async () => {
  await site.apply(`
apiVersion: akri.sh/v0
kind: Configuration
metadata: {name: echo, namespace: default}
spec:
  capacity: 2
  discoveryHandler: {name: debugEcho, discoveryDetails: "descriptions: [lamp, pump]"}
`);
  const found = await eventually(async () => {
    const { items } = await site.get("instances.akri.sh");
    return items.length === 2 && items;
  }, "two devices");
  for (const { spec } of found) assert.deepEqual(spec.nodes, ["edge"]);
});

test("a cluster of others follows what lies in git, and says why it cannot", async () => {
  await site.apply(`
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: nowhere, namespace: default}
spec: {interval: 1m, url: "https://127.0.0.1:1/nowhere.git", ref: {branch: main}}
`);
  const ready = await eventually(async () => {
    const { status } = await site.get("gitrepository", "nowhere");
    return status?.conditions?.find(({ type }: any) => type === "Ready");
  }, "what became of it");
  assert.equal(ready.status, "False");
  assert.match(ready.message, /127\.0\.0\.1:1/);
});

test("machines are refused there by name, with what to do instead", async () => {
  await assert.rejects(
    run(kerb, ["run", "--kubeconfig", site.kubeconfig, "--wings", "vms"]),
    /vms is no wing for clusters of others: .* use: kerb up --vms/,
  );
});

test("the site is released whole", async () => {
  await hub.kubectl(["delete", "managedcluster", "farm", "--timeout=120s"]);
  await assert.rejects(site.get("configmap", "paint"), /not found/);
});

test("requests are let in to a cluster of others as its Ingresses say", async () => {
  const backend = { service: { name: "nobody", port: { number: 80 } } };
  await site.kubectl(["create", "-f", "-"], {
    input: JSON.stringify({
      ...{ apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata: { name: "door" } },
      spec: {
        ingressClassName: "kerb",
        rules: [{ http: { paths: [{ path: "/shop", pathType: "Prefix", backend }] } }],
      },
    }),
  });
  const answerOf = async (path: string) =>
    (await fetch(`http://127.0.0.1:${door}${path}`).catch(() => undefined))?.status;
  await eventually(
    async () => (await answerOf("/shop")) === 503,
    "a door to a Service without pods",
  );
  assert.equal(await answerOf("/other"), 404);
});
