import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { seededRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import { builtinKinds } from "../../kinds/kinds.ts";
import { memoryStore } from "../../store/memory.ts";
import { createServer } from "../server.ts";
import type { ApiResponse } from "../request.ts";
import { crdAdmission } from "./crd-admission.ts";
import { startCrdController } from "./crd-controller.ts";
import { backupCrd } from "./test-crd.ts";

const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const backups = "/apis/example.com/v1/namespaces/default/backups";

async function setUp() {
  const scope = new Scope();
  const store = memoryStore();
  const kinds = builtinKinds();
  const clock = new FakeClock();
  const parts = { store, kinds, clock, log: silent };
  const server = createServer({ ...parts, random: seededRandom(1), admission: [crdAdmission] });
  await startCrdController({ ...parts, scope, convert: async (_crd, objects) => objects });
  const send = (method: string, path: string, body?: object, type = "application/json") => {
    const url = new URL(path, "http://server");
    return server.handle({
      method,
      path: url.pathname,
      query: url.searchParams,
      headers: { "content-type": type },
      body: body && Buffer.from(JSON.stringify(body)),
      user: { name: "test", groups: [] },
      signal: scope.signal,
    });
  };
  return { scope, store, send };
}

const objectOf = ({ object, bytes }: ApiResponse): any =>
  object ?? JSON.parse(Buffer.from(bytes!).toString());

const draft = () => {
  const { metadata, ...crd } = backupCrd();
  return { ...crd, metadata: { name: metadata.name } };
};

const backup = (spec: object) => ({
  apiVersion: "example.com/v1",
  kind: "Backup",
  metadata: { name: "nightly" },
  spec,
});

test("an object can follow its definition at once, and be applied to", async () => {
  const { scope, send } = await setUp();
  await send("POST", crds, draft());
  const created = await send("POST", backups, backup({ schedule: "0 3 * * *" }));
  assert.equal(created.code, 201);
  const applied = await send(
    "PATCH",
    `${backups}/nightly?fieldManager=m`,
    backup({ volumes: [{ name: "data", path: "/data" }] }),
    "application/apply-patch+yaml",
  );
  const { spec, metadata } = objectOf(applied);
  assert.equal(spec.schedule, "0 3 * * *");
  assert.deepEqual(spec.volumes, [{ name: "data", path: "/data" }]);
  assert.equal(metadata.managedFields.length, 2);
  await scope.close();
});

test("an object's names, labels and annotations are judged as those of any kind are", async () => {
  const { scope, send } = await setUp();
  await send("POST", crds, draft());
  const made = (metadata: object) =>
    send("POST", backups, { ...backup({ schedule: "0 3 * * *" }), metadata });
  const refused = (metadata: object, message: RegExp) =>
    assert.rejects(made(metadata), { reason: "Invalid", message });
  await refused({ name: "Nightly_" }, /metadata\.name: .*lowercase RFC 1123 subdomain/);
  await refused({ generateName: "Night-" }, /metadata\.generateName/);
  await refused({ name: "a", labels: { "a b": "c" } }, /metadata\.labels/);
  await refused({ name: "a", finalizers: ["a b"] }, /metadata\.finalizers/);
  assert.equal((await made({ name: "a", finalizers: ["plain"] })).code, 201);
  const labels = { metadata: { labels: { one: "of two" } } };
  await assert.rejects(send("PATCH", `${backups}/a`, labels, "application/merge-patch+json"), {
    reason: "Invalid",
  });
  await scope.close();
});

test("a definition that is wrong is refused, and its rules hold for its objects", async () => {
  const { scope, send } = await setUp();
  const wrong = { ...draft(), metadata: { name: "wrong" } };
  await assert.rejects(send("POST", crds, wrong), (error) => isStatus(error, "Invalid"));
  const ruled = (rule: string) => {
    const crd = structuredClone(draft());
    const { spec } = crd.spec.versions[0]!.schema!.openAPIV3Schema!.properties!;
    spec!["x-kubernetes-validations"] = [{ rule }];
    return crd;
  };
  await assert.rejects(send("POST", crds, ruled("self.nothing")), /undefined field 'nothing'/);
  await send("POST", crds, ruled("self.replicas < 5"));
  const schedule = "0 3 * * *";
  await assert.rejects(
    send("POST", backups, backup({ schedule, replicas: 7 })),
    /spec: Invalid value: "object": failed rule: self.replicas < 5/,
  );
  assert.equal((await send("POST", backups, backup({ schedule, replicas: 2 }))).code, 201);
  await scope.close();
});
