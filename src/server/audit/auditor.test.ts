import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../../kinds/kinds.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { seededRandom } from "../../lib/random.ts";
import { memoryStore } from "../../store/memory.ts";
import { StatusError } from "../../lib/status-error.ts";
import { impersonate } from "../auth/impersonate.ts";
import { loopback } from "../bootstrap.ts";
import type { ApiResponse } from "../request.ts";
import { createServer } from "../server.ts";
import { Auditor } from "./auditor.ts";
import type { Level, Rule } from "./policy.ts";

function setUp(level: Level, more: Partial<Rule> = {}) {
  const lines: string[] = [];
  const parts = { clock: new FakeClock(), random: seededRandom(1) };
  const policy = { rules: [{ level, ...more }] };
  const server = createServer({
    ...parts,
    store: memoryStore(),
    kinds: builtinKinds(),
    log: silent,
    audit: new Auditor({ ...parts, policy, write: (line) => lines.push(line) }),
    authorize: async (user) => ({ allowed: user.name !== "eve", reason: "because" }),
  });
  const send = async (method: string, path: string, options: any = {}): Promise<ApiResponse> =>
    server.handle({
      method,
      path,
      query: new URLSearchParams(options.query),
      headers: { "user-agent": "kubectl", ...options.headers },
      body: options.body && Buffer.from(JSON.stringify(options.body)),
      user: { ...loopback, ...options.user },
      signal: new AbortController().signal,
      remoteAddress: "127.0.0.9",
    });
  return { send, server, lines, events: () => lines.map((line) => JSON.parse(line)) };
}

const request = {
  method: "GET",
  path: "/api/v1/namespaces/default/pods",
  query: new URLSearchParams(),
  headers: {},
  body: undefined,
  signal: new AbortController().signal,
};
const secrets = "/api/v1/namespaces/default/secrets";
const secret = { metadata: { name: "key" }, stringData: { key: "swordfish" } };

test("a request is told when it comes and when it is answered, with who, what and why", async () => {
  const { send, events, lines } = setUp("Metadata");
  const { headers } = await send("POST", secrets, { body: secret });
  const [received, complete] = events();
  assert.deepEqual([received.stage, complete.stage], ["RequestReceived", "ResponseComplete"]);
  assert.equal(headers!["audit-id"], complete.auditID);
  assert.equal(complete.user.username, loopback.name);
  assert.deepEqual(complete.sourceIPs, ["127.0.0.9"]);
  assert.deepEqual(complete.objectRef, {
    resource: "secrets",
    namespace: "default",
    apiVersion: "v1",
  });
  assert.equal(complete.responseStatus.code, 201);
  assert.deepEqual(complete.annotations, {
    "authorization.k8s.io/decision": "allow",
    "authorization.k8s.io/reason": "because",
  });
  assert.ok(!lines.join().includes("swordfish"), "bodies are not told at Metadata");
});

test("bodies are told as far as the level says", async () => {
  const body = { metadata: { name: "a" }, data: { colour: "blue" } };
  const path = "/api/v1/namespaces/default/configmaps";
  const request = setUp("Request", { omitStages: ["RequestReceived"] });
  await request.send("POST", path, { body });
  const [told] = request.events();
  assert.deepEqual(told.requestObject, body);
  assert.equal(told.responseObject, undefined);
  const whole = setUp("RequestResponse", { omitManagedFields: true });
  await whole.send("POST", path, { body });
  const shown = whole.events().at(-1).responseObject;
  assert.equal(shown.data.colour, "blue");
  assert.equal(shown.metadata.managedFields, undefined);
  const list = await whole.send("GET", path);
  if (list.stream) for await (const chunk of list.stream) assert.ok(chunk);
  await Promise.resolve();
  const listed = whole.events().findLast(({ verb }) => verb === "list");
  assert.equal(listed.responseObject?.items?.[0]?.data.colour, "blue");
});

test("what is refused is told with its reason", async () => {
  const { send, events } = setUp("Metadata", { omitStages: ["RequestReceived"] });
  await assert.rejects(send("GET", `${secrets}/key`, { user: { name: "eve" } }));
  await assert.rejects(send("GET", "/apis/nothing/v1/things"));
  const [forbidden, missing] = events();
  assert.equal(forbidden.responseStatus.code, 403);
  assert.equal(forbidden.responseStatus.reason, "Forbidden");
  assert.equal(forbidden.annotations["authorization.k8s.io/decision"], "forbid");
  assert.equal(missing.responseStatus.code, 404);
});

test("a watch is told when it begins and when it ends", async () => {
  const { send, server, events } = setUp("RequestResponse", { verbs: ["watch"] });
  const { stream } = await send("GET", secrets, { query: "watch=true" });
  assert.deepEqual(
    events().map(({ stage }) => stage),
    ["RequestReceived", "ResponseStarted"],
  );
  server.close();
  for await (const chunk of stream!) assert.ok(chunk);
  assert.equal(events().at(-1).stage, "ResponseComplete");
});

test("a caller may bring its own audit id", async () => {
  const { send, events } = setUp("Metadata");
  await send("GET", secrets, { headers: { "audit-id": "mine" } });
  assert.equal(events()[0].auditID, "mine");
});

test("who asks as somebody else is told, and judged, as who they are", async () => {
  const users = ["jane"];
  const { send, server, events } = setUp("Metadata", { users });
  const jane = { name: "jane", groups: ["ops"] };
  const headers = { "impersonate-user": "bob" };
  const all = async ({ name }: { name: string }) => ({ allowed: name === "jane", reason: "" });
  const bob = await impersonate(jane, headers, all);
  await server.handle({ ...request, user: bob });
  const told = events().at(-1);
  assert.deepEqual(told.user, { username: "jane", groups: ["ops"] });
  assert.deepEqual(told.impersonatedUser, {
    username: "bob",
    groups: ["system:authenticated"],
  });
  const none = async () => ({ allowed: false, reason: "no" });
  const error = await impersonate(jane, headers, none).catch((one: unknown) => one);
  server.turnedAway(request, error, { certificate: false });
  const refused = events().at(-1);
  assert.deepEqual([refused.user.username, refused.responseStatus.code], ["jane", 403]);
  await send("GET", "/version");
  assert.deepEqual(events().at(-1), refused, "others are not told of");
});

test("a caller whom nobody knows is told of with what was shown", () => {
  const { server, events } = setUp("Metadata");
  const error = new StatusError("Unauthorized", "Unauthorized");
  const shown = { ...request, headers: { authorization: "Bearer swordfish" } };
  server.turnedAway(shown, error, { certificate: true });
  server.turnedAway(request, error, { certificate: false });
  const [bad, none] = events();
  assert.deepEqual([bad.stage, bad.user, bad.responseStatus.code], ["ResponseStarted", {}, 401]);
  assert.equal(bad.responseStatus.message, "Authentication failed, attempted: bearer, x509");
  assert.equal(none.responseStatus.message, "Authentication failed, no credentials provided");
  assert.ok(!JSON.stringify(bad).includes("swordfish"));
});
