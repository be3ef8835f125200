import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../../kinds/kinds.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { seededRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import { memoryStore } from "../../store/memory.ts";
import { bootstrapPolicy } from "../auth/bootstrap.ts";
import { loopback } from "../bootstrap.ts";
import type { User } from "../request.ts";
import { createServer } from "../server.ts";
import { FlowControl } from "./flow-control.ts";
import type { Seat } from "./flow-control.ts";

const person = (name: string): User => ({ name, groups: ["system:authenticated"] });
const account: User = {
  name: "system:serviceaccount:shop:web",
  groups: ["system:serviceaccounts", "system:authenticated"],
};

async function setUp(seats: number) {
  const clock = new FakeClock();
  const store = memoryStore();
  const scope = new Scope();
  const flow = new FlowControl({ store, clock, seats });
  const server = createServer({
    store,
    clock,
    flow,
    kinds: builtinKinds(),
    random: seededRandom(1),
    log: silent,
  });
  await flow.start(scope);
  await bootstrapPolicy(server);
  await new Promise((resolve) => setImmediate(resolve));
  const request = (user: User, path = "/api/v1/namespaces/shop/pods", rest: object = {}) => ({
    method: "GET",
    path,
    query: new URLSearchParams(),
    headers: {},
    body: undefined,
    user,
    signal: new AbortController().signal,
    ...rest,
  });
  const uidOf = async (resource: string, name: string) => {
    const entry = await store.get(`${resource}.flowcontrol.apiserver.k8s.io/${name}`);
    return JSON.parse(Buffer.from(entry!.value).toString()).metadata.uid;
  };
  const enter = (user: User, path?: string, rest?: object) => flow.enter(request(user, path, rest));
  return { clock, flow, server, request, enter, uidOf };
}

test("every request is told its schema and its level", async () => {
  const { server, request, uidOf } = await setUp(600);
  const cases: [User, string, string, string][] = [
    [loopback, "/api/v1/namespaces/shop/pods", "exempt", "exempt"],
    [person("ann"), "/healthz", "probes", "exempt"],
    [person("ann"), "/api/v1/namespaces/shop/pods", "global-default", "global-default"],
    [account, "/api/v1/namespaces/shop/pods", "service-accounts", "workload-low"],
    [
      { name: "system:node:a", groups: ["system:nodes"] },
      "/api/v1/nodes",
      "system-node-high",
      "node-high",
    ],
    [
      { name: "x", groups: ["system:unauthenticated"] },
      "/version",
      "global-default",
      "global-default",
    ],
  ];
  for (const [user, path, schema, level] of cases) {
    const { headers } = await server.handle(request(user, path));
    assert.equal(headers?.["x-kubernetes-pf-flowschema-uid"], await uidOf("flowschemas", schema));
    assert.equal(
      headers?.["x-kubernetes-pf-prioritylevel-uid"],
      await uidOf("prioritylevelconfigurations", level),
    );
  }
  const { headers } = await server
    .handle(request(person("ann"), "/api/v1/namespaces/shop/pods/none"))
    .then(
      () => assert.fail(),
      (error: any) => error,
    );
  assert.ok(headers["x-kubernetes-pf-flowschema-uid"], "errors are told it too");
});

test("who finds no seat waits, and sits when one is free", async () => {
  const { enter } = await setUp(1);
  const first = await enter(person("ann"));
  let seated = false;
  const second = Promise.resolve(enter(person("bob"))).then((seat) => {
    seated = true;
    return seat;
  });
  await Promise.resolve();
  assert.equal(seated, false);
  first!.leave();
  (await second)!.leave();
  assert.equal(seated, true);
});

const isTooMany = (error: unknown) =>
  isStatus(error, "TooManyRequests") && error.details?.retryAfterSeconds === 1;

test("a flood of one is refused when its queues are full, and others still sit", async () => {
  const { enter } = await setUp(1);
  const first = await enter(person("flood"));
  const order: string[] = [];
  const sit = async (who: string) => {
    const seat = await enter(person(who));
    order.push(who);
    seat!.leave();
  };
  const waiting = [...Array.from({ length: 350 }, () => sit("flood")), sit("bob")];
  const settled = Promise.allSettled(waiting);
  first!.leave();
  const refused = (await settled).filter(({ status }) => status === "rejected");
  assert.ok(order.indexOf("bob") < 10, "bob sits among the first");
  assert.equal(refused.length, 50, "six queues hold fifty each");
  for (const one of refused) assert.ok(isTooMany((one as PromiseRejectedResult).reason));
});

test("the system, administrators and watches do not wait for workloads", async () => {
  const { enter } = await setUp(1);
  const taken = await enter(account);
  await enter(loopback);
  await enter({ name: "system:node:a", groups: ["system:nodes"] });
  const watch = { query: new URLSearchParams("watch=true") };
  for (let i = 0; i < 5; i++) assert.ok(await enter(account, undefined, watch));
  taken!.leave();
});

test("nobody waits for ever, and who goes away is not kept", async () => {
  const { enter, clock } = await setUp(1);
  await enter(account);
  const late = assert.rejects(Promise.resolve(enter(account)), isTooMany);
  clock.advance(15_000);
  await late;
  const controller = new AbortController();
  const { signal } = controller;
  const gone = assert.rejects(Promise.resolve(enter(account, undefined, { signal })), isTooMany);
  controller.abort();
  await gone;
});

test("levels and schemas are told in the metrics", async () => {
  const { server, enter, request } = await setUp(600);
  const seat = await enter(account);
  const { bytes } = await server.handle(request(loopback, "/metrics"));
  const text = Buffer.from(bytes!).toString();
  assert.match(text, /current_executing_seats\{priority_level="workload-low"\} 1/);
  assert.match(text, /nominal_limit_seats\{priority_level="workload-low"\} 245/);
  assert.match(
    text,
    /dispatched_requests_total\{priority_level="workload-low",flow_schema="service-accounts"\} 1/,
  );
  seat!.leave();
});

test("objects that say nothing, or too much, do no harm", async () => {
  const { server, request, enter } = await setUp(600);
  const root = "/apis/flowcontrol.apiserver.k8s.io/v1";
  const post = (kind: string, name: string, spec: object) =>
    server.handle(
      request(loopback, `${root}/${kind}`, {
        method: "POST",
        decoded: true,
        body: { metadata: { name }, spec },
      }),
    );
  await post("flowschemas", "empty", { matchingPrecedence: 3, rules: [{}] }).catch(() => {});
  await post("prioritylevelconfigurations", "huge", {
    type: "Limited",
    limited: { limitResponse: { type: "Queue", queuing: { queues: 2 ** 31 - 1 } } },
  }).catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(await enter(person("ann")));
});

test("a list of many objects takes several seats", async () => {
  const { clock, enter, server, request } = await setUp(60);
  for (let i = 0; i < 250; i++) {
    const body = Buffer.from(JSON.stringify({ metadata: { name: `c-${i}` } }));
    const path = "/api/v1/namespaces/shop/configmaps";
    await server.handle(request(loopback, path, { method: "POST", body }));
  }
  /** How many of these are seated side by side. */
  const seated = async (path: string) => {
    const seats: Seat[] = [];
    for (;;) {
      const seat = enter(person("ann"), path);
      if (seat instanceof Promise) {
        const refused = assert.rejects(seat, /too many requests/);
        await clock.advance(15_000);
        await refused;
        for (const { leave } of seats) leave();
        return seats.length;
      }
      seats.push(seat!);
    }
  };
  const gets = await seated("/api/v1/namespaces/shop/configmaps/c-1");
  await seated("/api/v1/configmaps");
  assert.equal(await seated("/api/v1/configmaps"), Math.floor(gets / 3));
});
