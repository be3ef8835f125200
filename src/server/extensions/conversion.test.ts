import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { createServer as createHttps, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { localClient } from "../../client/local.ts";
import { resource, type Client } from "../../client/client.ts";
import { builtinKinds } from "../../kinds/kinds.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Schema } from "../../kinds/schema.ts";
import { systemClock } from "../../lib/clock.ts";
import { dialTcp } from "../../lib/dial-tcp.ts";
import { silent } from "../../lib/log.ts";
import { seededRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import { memoryStore } from "../../store/memory.ts";
import { issueCertificate } from "../auth/x509.ts";
import { createServer } from "../server.ts";
import { batches, webhookConversion } from "./conversion.ts";
import type { Crd, CrdVersion } from "./crd.ts";
import { crdAdmission } from "./crd-admission.ts";
import { startCrdController } from "./crd-controller.ts";

const crds = resource("apiextensions.k8s.io/v1", "customresourcedefinitions");
const at = (version: string, name?: string) => ({
  ...resource(`example.com/${version}`, "doors"),
  namespace: "default",
  ...(name && { name }),
});
const crd = { ...crds, name: "doors.example.com" };

/** v1 has `spec.size`, "80x200"; v2 has `spec.width` and `spec.height`. */
function converted(object: any, apiVersion: string) {
  const { spec, ...rest } = object;
  if (apiVersion.endsWith("v2")) {
    const [width, height] = spec.size.split("x").map(Number);
    return {
      ...rest,
      apiVersion,
      spec: { width, height, ...(spec.color && { color: spec.color }) },
    };
  }
  return { ...rest, apiVersion, spec: { size: `${spec.width}x${spec.height}` } };
}

let hooks: Server;
let caBundle: string;
let asked: any[];
/** What the webhook makes of its answer before it goes. */
let bend: (response: any) => any;
let scope: Scope;
let client: Client;

const port = () => (hooks.address() as AddressInfo).port;

before(async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const day = 86_400_000;
  const times = { notBeforeMs: Date.now() - day, notAfterMs: Date.now() + day };
  const issuer = { subject: { commonName: "ca" }, privateKey };
  const ca = issueCertificate({ ...times, ...issuer, publicKey, usage: "ca" }, issuer);
  const names = ["127.0.0.1", "doors.default.svc"];
  const subject = { commonName: "hooks" };
  const cert = issueCertificate({ ...times, subject, publicKey, usage: "server", names }, issuer);
  caBundle = Buffer.from(ca).toString("base64");
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  hooks = createHttps({ cert, key }, async (message, response) => {
    const { apiVersion, kind, request }: any = await json(message);
    asked.push(request);
    const objects = request.objects.map((one: any) => converted(one, request.desiredAPIVersion));
    const answer = { uid: request.uid, result: { status: "Success" }, convertedObjects: objects };
    response.end(JSON.stringify({ apiVersion, kind, response: bend(answer) }));
  });
  await new Promise<void>((resolve) => hooks.listen(0, "127.0.0.1", resolve));
});
after(() => hooks.close());

beforeEach(async () => {
  asked = [];
  bend = (response) => response;
  scope = new Scope();
  const store = memoryStore();
  const random = seededRandom(1);
  const parts = { store, kinds: builtinKinds(), clock: systemClock, log: silent };
  const server = createServer({ ...parts, random, admission: [crdAdmission] });
  const dialService = () => dialTcp("127.0.0.1", port());
  const convert = webhookConversion({ clock: systemClock, random, dialService });
  await startCrdController({ ...parts, scope, convert });
  scope.defer(() => server.close());
  client = localClient(server, { name: "admin", groups: ["system:masters"] }, "test");
});
afterEach(() => scope.close());

const version = (name: string, storage: boolean, spec: Schema["properties"]): CrdVersion => ({
  name,
  served: true,
  storage,
  schema: {
    openAPIV3Schema: {
      type: "object",
      properties: { spec: { type: "object", properties: spec! } },
    },
  },
});
const string: Schema = { type: "string" };
const integer: Schema = { type: "integer" };
const v1 = version("v1", true, { size: string, color: string });
const v2 = version("v2", false, {
  width: integer,
  height: integer,
  color: { type: "string", default: "white" },
});

const define = (spec: Partial<Crd["spec"]> = {}) =>
  client.create(crds, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "doors.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "doors", kind: "Door" },
      versions: [v1, v2],
      conversion: {
        strategy: "Webhook",
        webhook: {
          clientConfig: { url: `https://127.0.0.1:${port()}/convert`, caBundle },
          conversionReviewVersions: ["v1"],
        },
      },
      ...spec,
    },
  } as any);

const door = (apiVersion: string, name: string, spec: object): any => ({
  apiVersion: `example.com/${apiVersion}`,
  kind: "Door",
  metadata: { name },
  spec,
});

test("an object is written at one version and read, listed and changed at another", async () => {
  await define();
  await client.create(at("v1"), door("v1", "front", { size: "80x200" }));
  const read = await client.get(at("v2", "front"));
  assert.equal(read.apiVersion, "example.com/v2");
  assert.deepEqual(read.spec, { width: 80, height: 200, color: "white" });
  const written = await client.create(at("v2"), door("v2", "back", { width: 70, height: 190 }));
  assert.deepEqual(written.spec, { width: 70, height: 190, color: "white" });
  assert.deepEqual((await client.get(at("v1", "back"))).spec, { size: "70x190" });
  asked = [];
  const list = await client.list(at("v2"));
  assert.deepEqual(
    list.items.map((one) => one.spec["width"]),
    [70, 80],
  );
  const updated = await client.update(at("v2", "front"), {
    ...read,
    spec: { width: 90, height: 200 },
  });
  assert.equal(updated.spec["width"], 90);
  assert.equal(updated.metadata.uid, read.metadata.uid);
  assert.deepEqual((await client.get(at("v1", "front"))).spec, { size: "90x200" });
});

test("a watch at another version converts what comes", async () => {
  await define();
  await client.create(at("v1"), door("v1", "front", { size: "80x200" }));
  const watching = new AbortController();
  const seen: [string, unknown][] = [];
  const { resourceVersion } = (await client.list(at("v2"))).metadata;
  await client.create(at("v1"), door("v1", "back", { size: "70x190" }));
  await client.delete(at("v1", "front"));
  const options = { resourceVersion: resourceVersion!, signal: watching.signal };
  for await (const { type, object } of client.watch(at("v2"), options)) {
    seen.push([type, (object as KubeObject).spec["width"]]);
    if (seen.length === 2) break;
  }
  watching.abort();
  assert.deepEqual(seen, [
    ["ADDED", 70],
    ["DELETED", 80],
  ]);
});

test("a webhook behind a Service is asked, and once for a whole list", async () => {
  const service = { namespace: "default", name: "doors", path: "/convert" };
  const clientConfig = { service, caBundle };
  const webhook = { clientConfig, conversionReviewVersions: ["v1"] };
  await define({ conversion: { strategy: "Webhook", webhook } });
  await client.create(at("v1"), door("v1", "a", { size: "1x2" }));
  await client.create(at("v1"), door("v1", "b", { size: "3x4" }));
  assert.equal((await client.list(at("v2"))).items.length, 2);
  assert.equal(asked.length, 1);
  assert.equal(asked[0].desiredAPIVersion, "example.com/v2");
});

test("what the webhook does to metadata but labels and annotations is undone", async () => {
  await define();
  await client.create(at("v1"), door("v1", "front", { size: "80x200" }));
  bend = (response) => {
    const [one] = response.convertedObjects;
    one.metadata = { ...one.metadata, labels: { seen: "yes" }, generation: 77 };
    return response;
  };
  const { metadata } = await client.get(at("v2", "front"));
  assert.deepEqual(metadata.labels, { seen: "yes" });
  assert.equal(metadata.generation, 1);
});

test("an answer that is wrong is an error that says how", async () => {
  const wrong: [(response: any) => any, RegExp][] = [
    [(r) => ({ ...r, uid: "other" }), /expected response.uid=".*", got "other"/],
    [
      (r) => ({ ...r, result: { status: "Failure", message: "no idea" } }),
      /^conversion webhook for example.com\/v1, Kind=Door failed: no idea$/,
    ],
    [(r) => ({ ...r, convertedObjects: [] }), /returned 0 objects, expected 1/],
    [
      (r) => ({
        ...r,
        convertedObjects: r.convertedObjects.map((o: any) => ({ ...o, kind: "X" })),
      }),
      /returned invalid converted object at index 0: must have the same kind: X != Door/,
    ],
    [
      (r) => {
        r.convertedObjects[0].metadata.name = "rear";
        return r;
      },
      /must have the same name: "rear" != "front"/,
    ],
  ];
  await define();
  await client.create(at("v1"), door("v1", "front", { size: "80x200" }));
  for (const [how, message] of wrong) {
    bend = how;
    await assert.rejects(client.get(at("v2", "front")), (error) => {
      assert.ok(isStatus(error, "InternalError"));
      assert.match(error.message, message);
      return true;
    });
  }
});

test("without a webhook only the apiVersion changes", async () => {
  const both = version("v2", false, { size: string });
  await define({ versions: [v1, both], conversion: { strategy: "None" } });
  await client.create(at("v1"), door("v1", "front", { size: "80x200", color: "red" }));
  const { apiVersion, spec } = await client.get(at("v2", "front"));
  assert.deepEqual([apiVersion, spec], ["example.com/v2", { size: "80x200" }]);
});

test("a field that a definition gains shows with its default in objects that are there", async () => {
  await define({ versions: [v1], conversion: { strategy: "None" } });
  await client.create(at("v1"), door("v1", "front", { size: "80x200", color: "red" }));
  const lock: Schema = { type: "string", default: "none" };
  const grown = version("v1", true, { size: string, lock });
  await client.patch(crd, "merge", { spec: { versions: [grown] } });
  assert.deepEqual((await client.get(at("v1", "front"))).spec, { size: "80x200", lock: "none" });
  const [listed] = (await client.list(at("v1"))).items;
  assert.equal(listed!.spec["lock"], "none");
});

test("a new storage version is noted beside those before, and old objects are still read", async () => {
  await define();
  await client.create(at("v1"), door("v1", "front", { size: "80x200" }));
  const versions = [
    { ...v1, storage: false },
    { ...v2, storage: true },
  ];
  await client.patch(crd, "merge", { spec: { versions } });
  for await (const { object } of client.watch(crds, {})) {
    if ((object as Crd).status?.storedVersions?.join() === "v1,v2") break;
  }
  await client.create(at("v2"), door("v2", "back", { width: 70, height: 190 }));
  const v2s = (await client.list(at("v2"))).items.map((one) => one.spec["width"]);
  assert.deepEqual(v2s, [70, 80]);
  const v1s = (await client.list(at("v1"))).items.map((one) => one.spec["size"]);
  assert.deepEqual(v1s, ["70x190", "80x200"]);
});

test("long lists go to the webhook in batches", () => {
  const objects = Array.from({ length: 1200 }, () => ({}) as KubeObject);
  assert.deepEqual(
    [...batches(objects)].map((batch) => batch.length),
    [500, 500, 200],
  );
});
