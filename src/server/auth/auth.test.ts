import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { seededRandom } from "../../lib/random.ts";
import type { HandlerContext, ServerHandle, SubresourceHandler } from "../policy.ts";
import type { User } from "../request.ts";
import { createAuthorizer } from "./rbac/authorizer.ts";
import { defaultRbacObjects } from "./rbac/default-objects.ts";
import { RbacIndex } from "./rbac/rbac-index.ts";
import { selfSubjectAccessReview, subjectAccessReview } from "./reviews/access-reviews.ts";
import {
  selfSubjectReview,
  selfSubjectRulesReview,
  tokenReview,
} from "./reviews/identity-reviews.ts";
import { ServiceAccountTokens } from "./service-account-tokens.ts";
import { tokenRequest } from "./token-request.ts";

const jane: User = { name: "jane", groups: ["system:authenticated"] };

function setUp() {
  const clock = new FakeClock();
  const objects: Record<string, any> = {
    "serviceaccounts/default/web": {
      metadata: { name: "web", namespace: "default", uid: "sa-1" },
    },
    "pods/default/web-1": {
      metadata: { name: "web-1", namespace: "default", uid: "pod-1" },
      spec: {
        ...{ serviceAccountName: "web", nodeName: "edge-1" },
        volumes: [
          { name: "a", projected: { sources: [{ serviceAccountToken: { audience: "vault" } }] } },
          { name: "b", persistentVolumeClaim: { claimName: "data" } },
          { name: "c", csi: { driver: "inline.example" } },
        ],
      },
    },
    "persistentvolumeclaims/default/data": { metadata: {}, spec: { volumeName: "disk" } },
    "persistentvolumes/disk": { metadata: {}, spec: { csi: { driver: "disks.example" } } },
    "csidrivers.storage.k8s.io/disks.example": {
      metadata: {},
      spec: { tokenRequests: [{ audience: "disks" }] },
    },
    "csidrivers.storage.k8s.io/inline.example": {
      metadata: {},
      spec: { tokenRequests: [{ audience: "inline" }] },
    },
    "pods/default/other": { metadata: { uid: "pod-2" }, spec: { serviceAccountName: "x" } },
    "nodes/edge-1": { metadata: { name: "edge-1", uid: "node-1" } },
  };
  const read = async (key: string) => objects[key];
  const { privateKey: key } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const tokens = new ServiceAccountTokens({ key, clock, random: seededRandom(1), read });
  const index = new RbacIndex();
  for (const draft of defaultRbacObjects()) {
    const resource = draft.kind === "ClusterRole" ? "clusterroles" : "clusterrolebindings";
    if (draft.kind.startsWith("Cluster"))
      index.apply(resource, draft.metadata!.name!, draft as any);
  }
  const server = { clock, authorize: createAuthorizer(index) } as unknown as ServerHandle;
  const ask = async (handler: SubresourceHandler, body: object, info: object = {}, user = jane) => {
    const request = { body, user, headers: {} };
    const kind = { kind: "Review", group: "authorization.k8s.io", version: "v1" };
    const context = { server, request, info: { kind, ...info } } as unknown as HandlerContext;
    return (await handler(context)).object as any;
  };
  const request = (spec: object) =>
    ask(tokenRequest(tokens, read), { spec }, { namespace: "default", name: "web" });
  return { clock, tokens, read, index, ask, request };
}

const pod = (name: string, uid?: string) => ({ apiVersion: "v1", kind: "Pod", name, uid });
const claims = (token: string) =>
  JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());

test("a requested token is for whom, for what and for how long was asked", async () => {
  const { tokens, request } = setUp();
  const { status, spec } = await request({ expirationSeconds: 600, audiences: ["vault"] });
  assert.equal(status.expirationTimestamp, "2026-01-01T00:10:00Z");
  assert.deepEqual(spec, { audiences: ["vault"], expirationSeconds: 600 });
  assert.equal(await tokens.verify(status.token), undefined);
  const verified = await tokens.verify(status.token, ["vault", "other"]);
  assert.deepEqual(verified?.audiences, ["vault"]);
  assert.equal(verified?.user.name, "system:serviceaccount:default:web");
});

test("a token bound to a pod carries the pod and its node", async () => {
  const { request } = setUp();
  const { status } = await request({ boundObjectRef: pod("web-1", "pod-1") });
  assert.deepEqual(claims(status.token)["kubernetes.io"], {
    namespace: "default",
    serviceaccount: { name: "web", uid: "sa-1" },
    pod: { name: "web-1", uid: "pod-1" },
    node: { name: "edge-1", uid: "node-1" },
  });
});

test("the token of a pod's default volume is renewed hourly and works for a year", async () => {
  const { clock, tokens, request } = setUp();
  const spec = { expirationSeconds: 3607, boundObjectRef: pod("web-1") };
  const { status } = await request(spec);
  assert.equal(status.expirationTimestamp, "2026-01-01T01:00:07Z");
  await clock.advance(300 * 86_400_000);
  assert.ok(await tokens.verify(status.token));
});

test("token requests that cannot be met are refused by field", async () => {
  const { request, ask, tokens, read } = setUp();
  const table: [object, RegExp][] = [
    [
      { expirationSeconds: 599 },
      /spec\.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes/,
    ],
    [{ boundObjectRef: pod("gone") }, /pods "gone" not found/],
    [{ boundObjectRef: pod("web-1", "x") }, /the UID in the bound object reference \(x\)/],
    [{ boundObjectRef: pod("other") }, /cannot bind token for serviceaccount "web" to pod/],
    [
      { boundObjectRef: { ...pod("x"), kind: "Job" } },
      /cannot bind token to object of type \/v1, Kind=Job/,
    ],
  ];
  for (const [spec, message] of table) await assert.rejects(request(spec), { message });
  const named = (metadata: object) =>
    ask(tokenRequest(tokens, read), { metadata, spec: {} }, { namespace: "default", name: "web" });
  const other = /metadata\.name: Invalid value: "other": must match the service account name/;
  await assert.rejects(named({ name: "other" }), other);
  const gone = /the UID in the token request \(x\) does not match the UID of the service account/;
  await assert.rejects(named({ uid: "x" }), gone);
});

test("a node gets tokens for whom its pods' volumes are, and for whom an administrator says", async () => {
  const { tokens, read, index, ask } = setUp();
  const agent: User = { name: "system:node:edge-1", groups: ["system:nodes"] };
  const where = { namespace: "default", name: "web" };
  const get = (audience: string) => {
    const spec = { audiences: [audience], boundObjectRef: pod("web-1", "pod-1") };
    return ask(tokenRequest(tokens, read), { spec }, where, agent);
  };
  for (const audience of [...tokens.audiences, "vault", "disks", "inline"]) await get(audience);
  const refusal = { reason: "Forbidden", message: /with audience "bank" that no volume/ };
  await assert.rejects(get("bank"), refusal);
  const rule = { verbs: ["request-serviceaccounts-token-audience"], apiGroups: [""] };
  const rules = [{ ...rule, resources: ["bank"] }];
  index.apply("clusterroles", "bank", { metadata: { name: "bank" }, rules } as any);
  index.apply("clusterrolebindings", "bank", {
    metadata: { name: "bank" },
    roleRef: { kind: "ClusterRole", name: "bank" },
    subjects: [{ kind: "Group", name: "system:nodes" }],
  } as any);
  await get("bank");
});

test("can-i answers for oneself and for others", async () => {
  const { ask } = setUp();
  const nodes = { verb: "list", resource: "nodes" };
  const self = await ask(selfSubjectAccessReview, { spec: { resourceAttributes: nodes } });
  assert.deepEqual(self.status, { allowed: false });
  const spec = { user: "x", groups: ["system:masters"], resourceAttributes: nodes };
  assert.deepEqual((await ask(subjectAccessReview, { spec })).status, { allowed: true });
  const path = { nonResourceAttributes: { verb: "get", path: "/version" } };
  const allowed = await ask(selfSubjectAccessReview, { spec: path });
  assert.equal(allowed.status.allowed, true);
  assert.match(allowed.status.reason, /allowed by ClusterRoleBinding "system:/);
  await assert.rejects(ask(selfSubjectAccessReview, { spec: {} }), /exactly one of/);
  await assert.rejects(
    ask(subjectAccessReview, { spec }, { namespace: "default" }),
    /must match metadata.namespace/,
  );
});

test("can-i --list tells the rules, whoami the user, and a token review whose it is", async () => {
  const { ask, index, tokens } = setUp();
  const { status } = await ask(selfSubjectRulesReview(index), { spec: { namespace: "default" } });
  assert.equal(status.incomplete, false);
  assert.ok(status.nonResourceRules.some((rule: any) => rule.nonResourceURLs.includes("/api/*")));
  const root = { name: "root", groups: ["system:masters"] };
  const all = await ask(selfSubjectRulesReview(index), { spec: { namespace: "x" } }, {}, root);
  assert.deepEqual(all.status.resourceRules[0].verbs, ["*"]);
  const self = await ask(selfSubjectReview, {});
  assert.deepEqual(self.status.userInfo, { username: "jane", groups: ["system:authenticated"] });
  const account = { namespace: "default", serviceaccount: { name: "web", uid: "sa-1" } };
  const { token } = tokens.sign(account, tokens.audiences, 600);
  const good = await ask(tokenReview(tokens), { spec: { token } });
  assert.equal(good.status.authenticated, true);
  assert.equal(good.status.user.username, "system:serviceaccount:default:web");
  const bad = await ask(tokenReview(tokens), { spec: { token: "x" } });
  assert.deepEqual(bad.status, { user: {}, error: "invalid bearer token" });
});
