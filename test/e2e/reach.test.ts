// kubectl reaches a site through its hub: the site opened the only connection there is between the two.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { root, startSite } from "../support/site.ts";
import { run, runToEnd } from "../support/command.ts";
import type { Site } from "../support/site.ts";

let hub: Site;
let farm: Site;
let fleet: string;

const kubectl = join(root, ".cache/clients/kubectl");
/** kubectl at the site, by way of the hub. */
const there = (args: string[], options = {}) =>
  run(kubectl, ["--kubeconfig", fleet, "--cluster", "farm", ...args], options);

const refused = async (why: RegExp, args: string[]) => {
  const { stderr } = await runToEnd(kubectl, ["--kubeconfig", fleet, "--cluster", "farm", ...args]);
  return why.test(stderr);
};

const web = `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - name: web
    image: busybox:kerb
    command: [sh, -c, "echo hello from the farm; mkdir /www; echo milk > /www/index.html; httpd -f -p 80 -h /www"]
    readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
`;

const readers = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reach-farm}
rules:
- {apiGroups: [proxy.fleet.kerb.dev], resources: [managedclusters/proxy], resourceNames: [farm], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reach-farm}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reach-farm}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: farmers}]
`;

/** At the site, for people of the hub. */
const view = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: farmers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "hub:farmers"}]
`;

before(async () => {
  [hub, farm] = await Promise.all([
    startSite("--name", "centre", "--hub", "--no-node"),
    startSite("--name", "farm"),
  ]);
  await importBusybox(farm);
  await farm.attach(hub, "farm");
  fleet = join(hub.directory, "fleet");
  writeFileSync(fleet, await hub.kerb("kubeconfig", "--sites"), { mode: 0o600 });
  await eventually(async () => there(["get", "nodes"]), "the way to the site");
});
after(() => Promise.all([hub, farm].map((site) => site?.remove())));

test("what kubectl makes through the hub is made at the site, and is seen there as it changes", async () => {
  assert.match(await there(["auth", "whoami"]), /hub:kubernetes-admin/);
  await there(["apply", "-f", "-"], { input: web });
  assert.match(
    await there(["wait", "pod/web", "--for=condition=Ready", "--timeout=120s"]),
    /condition met/,
  );
  assert.equal((await farm.get("pod", "web")).status.phase, "Running");
  const { stderr } = await hub.tryKubectl(["get", "pod", "web"]);
  assert.match(stderr, /NotFound/);
});

test("logs, exec and port-forward go through the hub", async () => {
  const hello = async () => /hello from the farm/.test(await there(["logs", "web"]));
  await eventually(hello, "its first words");
  const echoed = await there(["exec", "-i", "web", "--", "cat"], { input: "moo" });
  assert.equal(echoed, "moo");
  const forward = ["--kubeconfig", fleet, "--cluster", "farm", "port-forward", "web", ":80"];
  const child = spawn(kubectl, forward, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const [, port] = /127\.0\.0\.1:(\d+)/.exec(line)!;
      const page = await fetch(`http://127.0.0.1:${port}/`);
      assert.equal(await page.text(), "milk\n");
      break;
    }
  } finally {
    child.kill();
  }
});

test("the hub's RBAC says who reaches a site, and the site's what they may do there", async () => {
  const as = ["--as", "jane", "--as-group", "farmers"];
  await assert.rejects(
    there(["get", "pods", ...as]),
    /cannot get resource "managedclusters\/proxy"/,
  );
  await hub.apply(readers);
  const unknown = /User "hub:jane" cannot list resource "pods"/;
  await eventually(() => refused(unknown, ["get", "pods", ...as]), "the hub's permission");
  await farm.apply(view);
  assert.match(
    await eventually(() => there(["get", "pods", ...as]), "the site's permission"),
    /web/,
  );
  await assert.rejects(there(["delete", "pod", "web", ...as]), /Forbidden/);
});

test("a hub speaks for nobody whom the site knows itself", async () => {
  const as = ["--as", "system:admin", "--as-group", "system:masters,system:nodes"];
  const said = await there(["auth", "whoami", ...as]);
  assert.match(said, /hub:system:admin/);
  assert.doesNotMatch(said, /[ [](?:system:masters|system:nodes)/);
});

test("a site that is away is said to be, and reached again when it is back", async () => {
  await farm.down("--keep-workloads");
  const away = /site farm is not connected to its hub/;
  await eventually(() => refused(away, ["get", "nodes"]), "the hub's answer");
  await farm.up();
  await eventually(async () => there(["get", "nodes"]), "the way to the site");
});
