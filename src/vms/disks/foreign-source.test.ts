// Claims of other namespaces, copied by whoever may, against a whole API server; a stand-in is the node.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { Informers } from "../../client/informers.ts";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/log.ts";
import { systemRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { makeServing } from "../../main/site/serving.ts";
import { startServer } from "../../main/test-server.ts";
import type { TestServer } from "../../main/test-server.ts";
import { startVmApi } from "../api/publish.ts";
import { claims, dataImportCrons, dataSources, dataVolumes, pods } from "../kinds/resources.ts";
import { ensureVms, startVmControllers } from "../start.ts";
import { taskOf } from "./ask-task.ts";

const scope = new Scope();
let server: TestServer;
let client: Client;
/** What the registry has had. */
const digests = ["a".repeat(64)];
/** May do everything in the namespace `tenant`. */
let ann: Client;

async function until<T>(look: () => Promise<T>): Promise<T> {
  for (let tries = 0; tries < 6000; tries++) {
    const found = await look().then(
      (value) => ({ value }),
      () => undefined,
    );
    if (found) return found.value;
    await setTimeout(20);
  }
  return look();
}

const rbac = "rbac.authorization.k8s.io";
const roles = resource(`${rbac}/v1`, "clusterroles");
const bindings = resource(`${rbac}/v1`, "rolebindings");

const bind = (namespace: string, role: string, subject: object) =>
  client.create({ ...bindings, namespace }, {
    ...{ apiVersion: `${rbac}/v1`, kind: "RoleBinding", metadata: { generateName: "may-" } },
    roleRef: { apiGroup: rbac, kind: "ClusterRole", name: role },
    subjects: [subject],
  } as any);
const person = { kind: "User", name: "ann", apiGroup: rbac };

before(async () => {
  server = await startServer({ listen: false, controllers: true });
  client = server.client();
  ann = server.client({ name: "ann", groups: ["system:authenticated"] });
  const world = { clock: systemClock, random: systemRandom, log: silent, scope };
  const informers = new Informers({ client, ...world });
  const connect = async (): Promise<any> => assert.fail("no node is asked");
  await ensureVms(client, systemClock);
  await startVmApi({
    ...{ client, connect, makeServing: makeServing(systemClock, systemRandom) },
    ...{ host: "127.0.0.1", port: { read: () => undefined, keep: () => {} } },
    outside: { hosts: [], tls: () => assert.fail("nobody is outside") },
    ...world,
  });
  const acting = server.client({ name: "system:kubevirt-controller", groups: ["system:masters"] });
  const digestOf = async () => `sha256:${digests.at(-1)}`;
  const found = { informers, ...world, connect, digestOf, discover: async () => [] };
  await startVmControllers({ client: acting, ...found });
  for (const name of ["golden", "tenant"]) {
    await client.create(resource("v1", "namespaces"), {
      ...{ apiVersion: "v1", kind: "Namespace", metadata: { name } },
    } as any);
    await until(() =>
      client.get({ ...resource("v1", "serviceaccounts"), namespace: name, name: "default" }),
    );
  }
  await client.create(roles, {
    ...{ apiVersion: `${rbac}/v1`, kind: "ClusterRole", metadata: { name: "cloner" } },
    rules: [
      { apiGroups: ["cdi.kubevirt.io"], resources: ["datavolumes/source"], verbs: ["create"] },
    ],
  } as any);
  await bind("tenant", "admin", person);
  await client.create({ ...claims, namespace: "golden" }, {
    ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "image" } },
    spec: {
      storageClassName: "none",
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: "1Mi" } },
    },
  } as any);
});
after(async () => {
  await scope.close();
  await server.close();
});

const volume = (name: string, spec: object) => ({
  ...{ apiVersion: "cdi.kubevirt.io/v1beta1", kind: "DataVolume", metadata: { name } },
  spec: { storage: { accessModes: ["ReadWriteOnce"], storageClassName: "none" }, ...spec },
});
const source = { pvc: { namespace: "golden", name: "image" } };
const create = (by: Client, name: string, spec: object = { source }) =>
  by.create({ ...dataVolumes, namespace: "tenant" }, volume(name, spec) as any);
const dv = (name: string) => client.get({ ...dataVolumes, namespace: "tenant", name });
const givers = async () =>
  (await client.list({ ...pods, namespace: "golden" }, {})).items.filter(
    ({ metadata }) => !metadata.deletionTimestamp,
  );
const setPod = (namespace: string, name: string, status: object) =>
  client.patch({ ...pods, namespace, name, subresource: "status" }, "merge", { status });

test("a claim of another namespace is copied only by who may read claims there", async () => {
  await until(() => assert.rejects(create(ann, "disk"), /clone source namespace golden/));
  await bind("golden", "cloner", person);
  await until(() => create(ann, "disk"));
});

test("its disk is given away by a pod there, to the pod that knows its key, and read as a raw disk", async () => {
  const giver = await until(async () => {
    const [found] = await givers();
    assert.ok(found);
    return found;
  });
  const { volumes } = giver.spec;
  assert.ok(volumes.some((one: any) => one.persistentVolumeClaim?.readOnly));
  const conditions = [{ type: "Ready", status: "True" }];
  await setPod("golden", giver.metadata.name, { phase: "Running", podIP: "192.0.2.7", conditions });
  const taker = await until(() =>
    client.get({ ...pods, namespace: "tenant", name: "cdi-clone-disk" }),
  );
  const task = taskOf(taker)!;
  assert.deepEqual(
    [task.kind, task.url, task.isRaw, task.headers],
    [
      "http",
      "http://192.0.2.7:8443/disk/disk.img",
      true,
      [`authorization: Bearer ${taskOf(giver)!.key}`],
    ],
  );
  await setPod("tenant", "cdi-clone-disk", { phase: "Succeeded" });
  await until(async () => assert.equal((await dv("disk")).status.phase, "Succeeded"));
  await until(async () => assert.deepEqual(await givers(), []));
});

test("a DataVolume that goes leaves no pod elsewhere", async () => {
  await create(ann, "short");
  await until(async () => assert.equal((await givers()).length, 1));
  await client.delete({ ...dataVolumes, namespace: "tenant", name: "short" });
  await until(async () => assert.deepEqual(await givers(), []));
});

test("what a machine's template copies, the account of its namespace must be allowed to", async () => {
  const controllers = server.client({
    name: "system:kubevirt-controller",
    groups: ["system:masters"],
  });
  const refused = /serviceaccount:tenant:default has insufficient permissions/;
  await assert.rejects(create(controllers, "root"), refused);
  const account = { kind: "ServiceAccount", name: "default", namespace: "tenant" };
  await bind("golden", "cloner", account);
  await until(() => create(controllers, "root"));
});

test("a DataSource stands for claims of its own namespace, and leads to no other", async () => {
  await client.create({ ...dataSources, namespace: "tenant" }, {
    ...{ apiVersion: "cdi.kubevirt.io/v1beta1", kind: "DataSource", metadata: { name: "way" } },
    spec: { source },
  } as any);
  await create(ann, "led", { sourceRef: { kind: "DataSource", name: "way" } });
  await until(async () => {
    const { status } = await dv("led");
    assert.match(JSON.stringify(status.conditions), /leads to another namespace than its own/);
  });
});

const importCron = {
  ...{ apiVersion: "cdi.kubevirt.io/v1beta1", kind: "DataImportCron", metadata: { name: "os" } },
  spec: {
    ...{
      schedule: "@every 1s",
      managedDataSource: "os",
      importsToKeep: 1,
      retentionPolicy: "None",
    },
    template: {
      spec: {
        source: { registry: { url: "docker://registry.example:5000/os:stable" } },
        storage: {
          ...{ accessModes: ["ReadWriteOnce"], storageClassName: "none" },
          resources: { requests: { storage: "1Mi" } },
        },
      },
    },
  },
};
const dataSource = (name: string) => client.get({ ...dataSources, namespace: "tenant", name });

/** As a node does. */
async function imports(letter: string) {
  const name = `os-${letter.repeat(12)}`;
  const { spec } = await until(() => dv(name));
  const wanted = `docker://registry.example:5000/os@sha256:${letter.repeat(64)}`;
  assert.equal(spec.source.registry.url, wanted);
  await until(() => setPod("tenant", `importer-${name}`, { phase: "Succeeded" }));
  await until(async () => {
    const { spec: led, status } = await dataSource("os");
    assert.deepEqual(led.source.pvc, { namespace: "tenant", name });
    assert.equal(status.conditions[0].status, "True");
  });
  return name;
}

test("a cron imports what a registry has, and what follows its DataSource copies the newest", async () => {
  const crons = { ...dataImportCrons, namespace: "tenant" };
  const target = { ...crons, name: "os" };
  await ann.create(crons, importCron as any);
  const first = await imports("a");
  const { status } = await until(async () => {
    const seen = await client.get(target);
    assert.equal(seen.status.lastImportedPVC.name, first);
    return seen;
  });
  assert.deepEqual(
    status.conditions.map(({ type, status: is }: any) => `${type} ${is}`),
    ["Progressing False", "UpToDate True"],
  );
  await client.create({ ...dataSources, namespace: "tenant" }, {
    ...{ apiVersion: "cdi.kubevirt.io/v1beta1", kind: "DataSource", metadata: { name: "alias" } },
    spec: { source: { dataSource: { name: "os" } } },
  } as any);
  await create(ann, "copied", { sourceRef: { kind: "DataSource", name: "alias" } });
  await until(() => client.get({ ...pods, namespace: "tenant", name: "cdi-clone-copied" }));
  digests.push("b".repeat(64));
  await imports("b");
  await until(() => assert.rejects(dv(first), /not found/));
  await client.delete(target);
  await until(() => assert.rejects(dataSource("os"), /not found/));
});

test("a cron that imports from elsewhere than a registry is refused by field", async () => {
  const spec: any = structuredClone(importCron.spec);
  spec.schedule = "sometimes";
  spec.template.spec.source = { http: { url: "https://images.example/os.img" } };
  const wrong = { ...importCron, metadata: { name: "wrong" }, spec };
  const at = { ...dataImportCrons, namespace: "tenant" };
  await assert.rejects(ann.create(at, wrong as any), (error: Error) => {
    assert.match(error.message, /spec\.schedule/);
    assert.match(error.message, /spec\.template\.spec\.source\.http/);
    return true;
  });
});
