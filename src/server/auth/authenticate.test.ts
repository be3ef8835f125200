import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import type { PeerCertificate } from "node:tls";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { seededRandom } from "../../lib/random.ts";
import { isStatus } from "../../lib/status-error.ts";
import type { Authorize } from "../policy.ts";
import { createAuthenticator } from "./authenticate.ts";
import { openPki } from "./pki.ts";
import { ServiceAccountTokens } from "./service-account-tokens.ts";
import { issueCertificate } from "./x509.ts";

const issuer = "https://kubernetes.default.svc.cluster.local";
const account = { namespace: "default", serviceaccount: { name: "web", uid: "sa-1" } };
const dayMs = 86_400_000;

async function setUp(authorize: Authorize = async () => ({ allowed: false, reason: "" })) {
  const clock = new FakeClock();
  const files = new Map<string, string>();
  const storage = {
    read: async (name: string) => files.get(name),
    write: async (name: string, data: string) => void files.set(name, data),
  };
  const pki = await openPki(storage, { clock, names: [] });
  const objects = new Map<string, any>([
    ["serviceaccounts/default/web", { metadata: { name: "web", uid: "sa-1" } }],
    ["pods/default/web-1", { metadata: { name: "web-1", uid: "pod-1" } }],
  ]);
  const tokens = new ServiceAccountTokens({
    key: pki.serviceAccountKey,
    clock,
    random: seededRandom(1),
    read: async (key) => objects.get(key),
  });
  const authenticate = createAuthenticator({ ca: () => pki.ca(), clock, tokens, authorize });
  return { clock, files, pki, objects, tokens, authenticate };
}

const shown = (pem: string) => {
  const { raw, fingerprint256 } = new X509Certificate(pem);
  return { peer: { raw, fingerprint256 } as PeerCertificate, authorized: true };
};

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const refused = (error: unknown) => isStatus(error, "Unauthorized");

test("a client certificate names its user and groups", async () => {
  const { pki, authenticate } = await setUp();
  const user = await authenticate({ headers: {}, certificate: shown(pki.admin().cert) });
  assert.equal(user.name, "kubernetes-admin");
  assert.deepEqual(user.groups, ["system:masters", "system:authenticated"]);
});

test("expired, foreign, early and serving certificates are Unauthorized", async () => {
  const { clock, files, pki, tokens, authenticate } = await setUp();
  const issue = (caKey: string, notBeforeMs: number, notAfterMs: number) => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const subject = { commonName: "eve", organizations: ["system:masters"] };
    const request = { subject, publicKey, notBeforeMs, notAfterMs, usage: "client" as const };
    const privateKey = createPrivateKey(caKey);
    return issueCertificate(request, { subject: { commonName: "kerb-ca" }, privateKey });
  };
  const now = clock.now();
  const caKey = files.get("ca.pem")!;
  const { privateKey: foreign } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const foreignKey = foreign.export({ type: "pkcs8", format: "pem" }).toString();
  const good = issue(caKey, 0, now + dayMs);
  assert.equal((await authenticate({ headers: {}, certificate: shown(good) })).name, "eve");
  const bad = {
    expired: issue(caKey, 0, now - 1000),
    early: issue(caKey, now + dayMs, now + 2 * dayMs),
    foreign: issue(foreignKey, 0, now + dayMs),
    serving: pki.serving().cert,
  };
  for (const [name, cert] of Object.entries(bad)) {
    await assert.rejects(authenticate({ headers: {}, certificate: shown(cert) }), refused, name);
  }
  const returning = createAuthenticator({
    ...{
      ca: () => pki.ca(),
      clock,
      tokens,
      authorize: async () => ({ allowed: false, reason: "" }),
    },
    returning: ({ name }) => ({ name: `once ${name}`, groups: [] }),
  });
  const back = (cert: string) => returning({ headers: {}, certificate: shown(cert) });
  assert.equal((await back(bad.expired)).name, "once eve");
  assert.equal((await back(good)).name, "eve");
  await assert.rejects(back(bad.early), refused);
  await assert.rejects(back(bad.foreign), refused);
});

test("showing nothing makes one anonymous, showing nonsense is Unauthorized", async () => {
  const { authenticate } = await setUp();
  assert.equal((await authenticate({ headers: {} })).name, "system:anonymous");
  await assert.rejects(authenticate(bearer("nonsense")), refused);
  await assert.rejects(authenticate({ headers: { authorization: "Basic eDp5" } }), refused);
});

test("a token names its service account until it expires", async () => {
  const { clock, tokens, authenticate } = await setUp();
  const { token } = tokens.sign(account, [issuer], 600);
  const user = await authenticate(bearer(token));
  assert.equal(user.name, "system:serviceaccount:default:web");
  assert.equal(user.uid, "sa-1");
  assert.deepEqual(user.groups, [
    "system:serviceaccounts",
    "system:serviceaccounts:default",
    "system:authenticated",
  ]);
  await clock.advance(599_000);
  await authenticate(bearer(token));
  await clock.advance(1000);
  await assert.rejects(authenticate(bearer(token)), refused);
});

test("a token made before the clock was set back still works", async () => {
  const { clock, tokens, authenticate } = await setUp();
  const { token } = tokens.sign(account, [issuer], 600);
  clock.jumpTo(0);
  await authenticate(bearer(token));
});

test("a token for another audience or with a changed claim is refused", async () => {
  const { tokens, authenticate } = await setUp();
  await assert.rejects(authenticate(bearer(tokens.sign(account, ["vault"], 600).token)), refused);
  const [header, , signature] = tokens.sign(account, [issuer], 600).token.split(".");
  const claims = Buffer.from(`{"aud":["${issuer}"]}`).toString("base64url");
  await assert.rejects(authenticate(bearer(`${header}.${claims}.${signature}`)), refused);
  const none = Buffer.from('{"alg":"none"}').toString("base64url");
  await assert.rejects(authenticate(bearer(`${none}.${claims}.x`)), refused);
});

test("a token dies with the object it is bound to, and does not serve its namesake", async () => {
  const { objects, tokens, authenticate } = await setUp();
  const binding = { ...account, pod: { name: "web-1", uid: "pod-1" } };
  const { token } = tokens.sign(binding, [issuer], 600);
  const { extra } = await authenticate(bearer(token));
  assert.deepEqual(extra?.["authentication.kubernetes.io/pod-name"], ["web-1"]);
  objects.set("pods/default/web-1", { metadata: { name: "web-1", uid: "pod-2" } });
  await assert.rejects(authenticate(bearer(token)), refused);
  objects.delete("serviceaccounts/default/web");
  await assert.rejects(authenticate(bearer(tokens.sign(account, [issuer], 600).token)), refused);
});

test("impersonation asks for each part and then becomes the other", async () => {
  const asked: string[] = [];
  const { pki, authenticate } = await setUp(async (_, { resource, namespace, name }) => {
    asked.push(`${resource}/${namespace}/${name}`);
    return { allowed: name !== "root", reason: "" };
  });
  const as = (headers: Record<string, string>) =>
    authenticate({ headers, certificate: shown(pki.admin().cert) });
  const user = await as({ "impersonate-user": "jane", "impersonate-group": "dev, ops" });
  assert.deepEqual(user, { name: "jane", groups: ["dev", "ops", "system:authenticated"] });
  assert.deepEqual(asked.splice(0), ["users//jane", "groups//dev", "groups//ops"]);
  const robot = await as({ "impersonate-user": "system:serviceaccount:ns:web" });
  assert.deepEqual(asked, ["serviceaccounts/ns/web"]);
  assert.ok(robot.groups.includes("system:serviceaccounts:ns"));
  await assert.rejects(as({ "impersonate-user": "root" }), {
    message:
      'users "root" is forbidden: User "kubernetes-admin" cannot impersonate resource "users" in ' +
      'API group "" at the cluster scope',
  });
});

test("those who show nothing may be kept to some paths", async () => {
  const { clock, pki, tokens } = await setUp();
  const authenticate = createAuthenticator({
    ca: () => pki.ca(),
    clock,
    tokens,
    authorize: async () => ({ allowed: false, reason: "" }),
    admitsAnonymous: (path) => path === "/livez",
  });
  assert.equal((await authenticate({ headers: {}, path: "/livez" })).name, "system:anonymous");
  await assert.rejects(authenticate({ headers: {}, path: "/api" }), refused);
});
