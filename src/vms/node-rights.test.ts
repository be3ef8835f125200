// A node that joined and turned hostile, against a whole API server: what its own name lets it do with VMs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { resource } from "../client/client.ts";
import type { Client } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { systemClock } from "../lib/clock.ts";
import { startServer } from "../main/test-server.ts";
import type { TestServer } from "../main/test-server.ts";
import { instances, pods, virtualMachines } from "./kinds/resources.ts";
import { ensureVms } from "./start.ts";

const namespace = "default";
const secrets = resource("v1", "secrets");
let server: TestServer;
let admin: Client;
let hostile: Client;

const machine = (name: string, node?: string) => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachineInstance",
  metadata: {
    name,
    labels: { app: name, ...(node && { "kubevirt.io/nodeName": node }) },
    annotations: { note: "kept" },
    finalizers: ["shop.example/keep"],
  },
  spec: { domain: { devices: {}, memory: { guest: "64Mi" } } },
  status: { phase: "Running", ...(node && { nodeName: node }) },
});

const pod = (name: string, nodeName: string, secretName: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: {
    nodeName,
    containers: [{ name: "compute", image: "x" }],
    volumes: [{ name: "seed", secret: { secretName } }],
  },
});

before(async () => {
  server = await startServer({ listen: false });
  admin = server.client();
  await ensureVms(admin, systemClock);
  hostile = server.client({ name: "system:node:own", groups: ["system:nodes"] });
  const all = { ...instances, namespace };
  for (const one of [machine("here", "own"), machine("there", "other"), machine("nowhere")]) {
    await admin.create(all, one);
  }
  for (const [name, node] of [
    ["here", "own"],
    ["there", "other"],
  ] as const) {
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: `${name}-seed` } };
    await admin.create({ ...secrets, namespace }, secret);
    await admin.create({ ...pods, namespace }, pod(name, node, `${name}-seed`));
  }
});
after(() => server.close());

const at = (name: string) => ({ ...instances, namespace, name });

/** The object as the node would like it to be. */
async function write(name: string, change: (vmi: any) => void) {
  const vmi = structuredClone(await admin.get<KubeObject>(at(name)));
  change(vmi);
  return hostile.update(at(name), vmi);
}
const forbidden = (name: string, change: (vmi: any) => void, what: string) =>
  assert.rejects(write(name, change), { reason: "Forbidden" }, what);

test("a node says how its own VMs are", async () => {
  const said = await write("here", (vmi) => (vmi.status.guestOSInfo = { name: "till" }));
  assert.equal(said.status.guestOSInfo.name, "till");
});

test("a node says nothing of VMs that run elsewhere, or nowhere yet", async () => {
  for (const name of ["there", "nowhere"]) {
    await forbidden(name, (vmi) => (vmi.status.phase = "Failed"), name);
    const take = (vmi: any) => {
      vmi.metadata.labels["kubevirt.io/nodeName"] = "own";
      vmi.status.nodeName = "own";
    };
    await forbidden(name, take, `${name}, taken over`);
    const { phase } = (await admin.get(at(name))).status;
    assert.equal(phase, "Running");
  }
});

test("of its own VMs a node changes nothing but how they are", async () => {
  const rows: Record<string, (vmi: any) => void> = {
    spec: (vmi) => (vmi.spec.domain.memory.guest = "1Gi"),
    labels: (vmi) => (vmi.metadata.labels.app = "bank"),
    "no labels": (vmi) => delete vmi.metadata.labels,
    "the label that says whose it is": (vmi) =>
      (vmi.metadata.labels["kubevirt.io/nodeName"] = "other"),
    annotations: (vmi) => (vmi.metadata.annotations.note = "changed"),
    "no annotations": (vmi) => delete vmi.metadata.annotations,
    finalizers: (vmi) => delete vmi.metadata.finalizers,
    owners: (vmi) =>
      (vmi.metadata.ownerReferences = [
        { apiVersion: "v1", kind: "ConfigMap", name: "gone", uid: "gone" },
      ]),
    "where it runs": (vmi) => (vmi.status.nodeName = "other"),
    "where it is to go": (vmi) => (vmi.status.migrationState = { targetNode: "other" }),
    "that it is to leave": (vmi) => (vmi.status.evacuationNodeName = "own"),
    "no status": (vmi) => delete vmi.status,
  };
  for (const [what, change] of Object.entries(rows)) await forbidden("here", change, what);
});

test("a node makes, patches and deletes no VMs, and starts none", async () => {
  const refused = (act: Promise<unknown>, what: string) =>
    assert.rejects(act, { reason: "Forbidden" }, what);
  const all = { ...instances, namespace };
  for (const name of ["here", "there"]) {
    await refused(hostile.delete(at(name)), `delete ${name}`);
    await refused(hostile.patch(at(name), "merge", { status: { phase: "Failed" } }), name);
  }
  await refused(hostile.create(all, machine("more", "own")), "create");
  await refused(hostile.list({ ...virtualMachines, namespace }), "machines");
});

test("a node reads the Secrets of its own VMs and nobody else's", async () => {
  const read = (name: string) => hostile.get({ ...secrets, namespace, name });
  assert.equal((await read("here-seed")).metadata.name, "here-seed");
  await assert.rejects(read("there-seed"), { reason: "Forbidden" });
  await assert.rejects(hostile.list({ ...secrets, namespace }), { reason: "Forbidden" });
});

test("a node without a name of its own is refused", async () => {
  const nameless = server.client({ name: "mallory", groups: ["system:nodes"] });
  const vmi = structuredClone(await admin.get<KubeObject>(at("here")));
  vmi.status.phase = "Failed";
  await assert.rejects(nameless.update(at("here"), vmi), { reason: "Forbidden" });
});
