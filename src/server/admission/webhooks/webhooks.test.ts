import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { startCluster, type Cluster } from "../../../../test/support/cluster.ts";
import { resource } from "../../../client/client.ts";
import { builtinKinds } from "../../../kinds/kinds.ts";
import { dialTcp } from "../../../lib/dial-tcp.ts";
import { silent } from "../../../lib/log.ts";
import { isStatus } from "../../../lib/status-error.ts";
import { issueCertificate } from "../../auth/x509.ts";
import { objectReader } from "../object-reader.ts";
import { mutatingWebhooks, validatingWebhooks } from "./webhooks.ts";

type Answer = (request: any) => object | Promise<object>;

const configMaps = { ...resource("v1", "configmaps"), namespace: "default" };
const group = "admissionregistration.k8s.io/v1";

/** What the webhook server does, by path. */
let answers: Record<string, Answer>;
let asked: any[];
let hooks: Server;
let caBundle: string;
/** The certificate that the server shows, instead of its authority. */
let ownBundle: string;
let cluster: Cluster;

const port = () => (hooks.address() as AddressInfo).port;
const patchOf = (operations: object[]) => ({
  allowed: true,
  patchType: "JSONPatch",
  patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
});

before(async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const day = 86_400_000;
  const times = { notBeforeMs: Date.now() - day, notAfterMs: Date.now() + day };
  const subject = { commonName: "hooks" };
  const names = ["127.0.0.1", "hooks.system.svc"];
  const issuer = { subject: { commonName: "ca" }, privateKey };
  const ca = issueCertificate(
    { ...times, subject: issuer.subject, publicKey, usage: "ca" },
    issuer,
  );
  const cert = issueCertificate({ ...times, subject, publicKey, usage: "server", names }, issuer);
  caBundle = Buffer.from(ca).toString("base64");
  ownBundle = Buffer.from(cert).toString("base64");
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  hooks = createServer({ cert, key }, async (message, response) => {
    const review: any = await json(message);
    asked.push(review.request);
    const answer = await answers[message.url!.split("?")[0]!]!(review.request);
    response.end(
      JSON.stringify({
        ...review,
        request: undefined,
        response: { uid: review.request.uid, ...answer },
      }),
    );
  });
  await new Promise<void>((resolve) => hooks.listen(0, "127.0.0.1", resolve));
});
after(() => hooks.close());

beforeEach(() => {
  answers = {};
  asked = [];
  cluster = startCluster({
    admission: (parts) => {
      const options = {
        ...parts,
        kinds: builtinKinds(),
        authorize: async () => ({ allowed: true, reason: "" }),
        log: silent,
        reader: objectReader(parts.store),
        dialService: () => dialTcp("127.0.0.1", port()),
      };
      return [mutatingWebhooks(options), validatingWebhooks(options)];
    },
  });
});
afterEach(() => cluster.scope.close());

const rule = { operations: ["*"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] };

function register(kind: "Mutating" | "Validating", paths: string[], more: object = {}) {
  const webhooks = paths.map((path) => ({
    name: `${path.slice(1)}.example.org`,
    clientConfig: { url: `https://127.0.0.1:${port()}${path}`, caBundle },
    rules: [rule],
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    ...more,
  }));
  return cluster.client.create(resource(group, `${kind.toLowerCase()}webhookconfigurations`), {
    apiVersion: group,
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: "test" },
    webhooks,
  });
}

const create = (name: string, data: object = {}, labels: object = {}) =>
  cluster.client.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, labels: labels as Record<string, string> },
    data,
  });

test("a validating webhook refuses in its own words", async () => {
  answers["/no"] = () => ({
    allowed: false,
    status: { message: "not on my watch", code: 403, reason: "Forbidden" },
  });
  await register("Validating", ["/no"]);
  await assert.rejects(create("a"), (error) => {
    assert.ok(isStatus(error, "Forbidden"));
    assert.equal(
      error.message,
      'admission webhook "no.example.org" denied the request: not on my watch',
    );
    return true;
  });
  const [request] = asked;
  assert.deepEqual(request.kind, { group: "", version: "v1", kind: "ConfigMap" });
  assert.deepEqual(request.resource, { group: "", version: "v1", resource: "configmaps" });
  assert.equal(request.operation, "CREATE");
  assert.equal(request.namespace, "default");
  assert.equal(request.userInfo.username, "admin");
  assert.equal(request.object.metadata.name, "a");
  assert.equal(request.oldObject, null);
});

test("a URL with slashes too many and a bundle that is no authority will do, as envtest gives them", async () => {
  answers["/no"] = () => ({ allowed: false });
  const url = `https://127.0.0.1:${port()}//no`;
  await register("Validating", ["/no"], { clientConfig: { url, caBundle: ownBundle } });
  await assert.rejects(create("a"), /^StatusError: admission webhook "no.example.org" denied/);
});

test("mutating webhooks change the object one after the other, by name", async () => {
  const add =
    (word: string): Answer =>
    ({ object }) =>
      patchOf([{ op: "replace", path: "/data/words", value: `${object.data.words} ${word}` }]);
  answers = { "/one": add("one"), "/two": add("two") };
  await register("Mutating", ["/one", "/two"]);
  const object = await create("a", { words: "zero" });
  assert.equal(object["data"].words, "zero one two");
});

test("a webhook may ask to be called again when later ones changed the object", async () => {
  answers = {
    "/first": ({ object }) =>
      patchOf([{ op: "add", path: "/data/seen", value: String(Object.keys(object.data).length) }]),
    "/second": () => patchOf([{ op: "add", path: "/data/late", value: "yes" }]),
  };
  await register("Mutating", ["/first", "/second"], { reinvocationPolicy: "IfNeeded" });
  const object = await create("a", { words: "zero" });
  assert.deepEqual(object["data"], { words: "zero", seen: "3", late: "yes" });
});

test("selectors choose by the labels of object and namespace", async () => {
  answers["/no"] = () => ({ allowed: false });
  await register("Validating", ["/no"], { objectSelector: { matchLabels: { guarded: "yes" } } });
  await create("free");
  await assert.rejects(
    create("guarded", {}, { guarded: "yes" }),
    /denied the request without explanation/,
  );
});

test("a webhook that fails refuses or is ignored, as it says", async () => {
  answers["/slow"] = () => new Promise(() => {});
  answers["/odd"] = () => ({ uid: "another", allowed: true });
  await register("Validating", ["/slow"], { timeoutSeconds: 1 });
  await assert.rejects(
    create("a"),
    /failed calling webhook "slow.example.org": failed to call webhook: Post "https:.*timeout=1s": context deadline exceeded/,
  );
  await cluster.client.delete({
    ...resource(group, "validatingwebhookconfigurations"),
    name: "test",
  });
  await register("Validating", ["/odd"], { failurePolicy: "Ignore" });
  await create("a");
});

test("a foreign certificate is not trusted", async () => {
  answers["/no"] = () => ({ allowed: true });
  const clientConfig = { url: `https://127.0.0.1:${port()}/no` };
  await register("Validating", ["/no"], { clientConfig });
  await assert.rejects(create("a"), /failed calling webhook.*certificate/);
});

test("a dry run asks only webhooks without side effects", async () => {
  answers["/yes"] = () => ({ allowed: true, warnings: ["mind the gap"] });
  await register("Validating", ["/yes"]);
  await cluster.client.create(
    configMaps,
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "dry" } },
    { dryRun: true },
  );
  assert.equal(asked[0].dryRun, true);
});

test("a Service leads to the webhook, and deletes are asked about with what goes", async () => {
  await create("a", { kept: "1" });
  answers["/no"] = () => ({ allowed: false, status: { message: "it stays" } });
  const service = { namespace: "system", name: "hooks", path: "/no" };
  await register("Validating", ["/no"], { clientConfig: { service, caBundle } });
  await assert.rejects(
    cluster.client.delete({ ...configMaps, name: "a" }),
    /denied the request: it stays/,
  );
  assert.equal(asked[0].oldObject.data.kept, "1");
  assert.equal(asked[0].object, null);
});

test("configurations are judged field by field", async () => {
  const refused = register("Validating", ["/a"], {
    name: "short.name",
    sideEffects: "Some",
    clientConfig: { url: "http://127.0.0.1/" },
    admissionReviewVersions: ["v7"],
  });
  await assert.rejects(refused, (error) => {
    assert.ok(isStatus(error, "Invalid"));
    const fields = error.details?.causes?.map(({ field }) => field);
    assert.deepEqual(fields, [
      "webhooks[0].name",
      "webhooks[0].sideEffects",
      "webhooks[0].clientConfig.url",
      "webhooks[0].admissionReviewVersions",
    ]);
    return true;
  });
});
