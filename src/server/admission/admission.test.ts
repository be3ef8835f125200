import assert from "node:assert/strict";
import { adminRequests } from "./admin-access.ts";
import { test } from "node:test";
import { builtinKinds } from "../../kinds/kinds.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { seededRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { memoryStore } from "../../store/memory.ts";
import { bootstrapPolicy } from "../auth/bootstrap.ts";
import { bootstrap, loopback } from "../bootstrap.ts";
import { createServer } from "../server.ts";
import { admissionPlugins } from "./admission.ts";
import { totalOf, violations } from "./limit-ranger.ts";

async function setUp() {
  const scope = new Scope();
  const clock = new FakeClock();
  const random = seededRandom(1);
  const store = memoryStore();
  const authorize = async () => ({ allowed: true, reason: "" });
  const kinds = builtinKinds();
  const admission = admissionPlugins({
    store,
    kinds,
    clock,
    random,
    authorize,
    log: silent,
    dialService: async () => assert.fail("no webhooks here"),
  });
  const parts = { store, clock, random, authorize, admission, kinds, log: silent };
  const server = createServer(parts);
  scope.defer(() => server.close());
  const send = async (method: string, path: string, body?: object): Promise<any> => {
    const { object, bytes } = await server.handle({
      method,
      path,
      query: new URLSearchParams(),
      headers: {},
      body: body && Buffer.from(JSON.stringify(body)),
      user: loopback,
      signal: scope.signal,
    });
    return object ?? JSON.parse(Buffer.from(bytes!).toString());
  };
  await bootstrap(server);
  await bootstrapPolicy(server);
  const pods = "/api/v1/namespaces/default/pods";
  const pod = (name: string, spec: object = {}) =>
    send("POST", pods, {
      metadata: { name },
      spec: { containers: [{ name: "main", image: "busybox" }], ...spec },
    });
  const account = (namespace: string, rest: object = {}) =>
    send("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, {
      metadata: { name: "default" },
      ...rest,
    });
  return { scope, clock, store, server, send, pod, account };
}

test("a warm start writes nothing", async () => {
  const { store, server } = await setUp();
  const before = store.revision();
  await bootstrapPolicy(server);
  assert.equal(store.revision(), before);
});

test("a pod gets its account's token, priority and tolerations", async () => {
  const { pod, account } = await setUp();
  await account("default", { imagePullSecrets: [{ name: "registry" }] });
  const { spec } = await pod("web");
  assert.equal(spec.serviceAccountName, "default");
  assert.deepEqual(spec.imagePullSecrets, [{ name: "registry" }]);
  assert.match(spec.volumes[0].name, /^kube-api-access-[a-z0-9]{5}$/);
  assert.deepEqual(spec.containers[0].volumeMounts, [
    {
      name: spec.volumes[0].name,
      readOnly: true,
      mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
    },
  ]);
  assert.equal(spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds, 3607);
  assert.equal(spec.priority, 0);
  assert.equal(spec.preemptionPolicy, "PreemptLowerPriority");
  assert.deepEqual(
    spec.tolerations.map((one: any) => [one.key, one.tolerationSeconds]),
    [
      ["node.kubernetes.io/not-ready", 300],
      ["node.kubernetes.io/unreachable", 300],
    ],
  );
});

test("a pod that opts out of the token, or brings its own, is left alone", async () => {
  const { pod, account } = await setUp();
  await account("default");
  const { spec } = await pod("quiet", { automountServiceAccountToken: false });
  assert.equal(spec.volumes, undefined);
});

test("a pod waits a moment for the default account of a new namespace", async () => {
  const { pod, account } = await setUp();
  const waiting = pod("early");
  await account("default");
  assert.equal((await waiting).spec.serviceAccountName, "default");
});

test("pods that name what does not exist are refused", async () => {
  const { clock, pod, account } = await setUp();
  const alone = assert.rejects(pod("alone"), {
    reason: "Forbidden",
    message:
      'pods "alone" is forbidden: error looking up service account default/default: serviceaccount "default" not found',
  });
  await clock.advance(6000);
  await alone;
  await account("default");
  const table: [object, RegExp][] = [
    [{ serviceAccountName: "x" }, /error looking up service account default\/x/],
    [{ priorityClassName: "x" }, /no PriorityClass with name x was found/],
    [{ runtimeClassName: "x" }, /pod rejected: RuntimeClass "x" not found/],
    [{ priority: 7 }, /the integer value of priority \(7\) must not be provided in pod spec/],
  ];
  for (const [spec, message] of table) await assert.rejects(pod("bad", spec), { message });
  const critical = await pod("critical", { priorityClassName: "system-node-critical" });
  assert.equal(critical.spec.priority, 2_000_001_000);
});

test("namespaces must exist, must not be ending, and some never end", async () => {
  const { send, account } = await setUp();
  await assert.rejects(account("nowhere"), {
    reason: "NotFound",
    message: 'namespaces "nowhere" not found',
  });
  const metadata = { name: "ending", finalizers: ["example.com/hold"] };
  await send("POST", "/api/v1/namespaces", { metadata });
  await send("DELETE", "/api/v1/namespaces/ending");
  await assert.rejects(account("ending"), (error: any) => {
    assert.match(error.message, /because it is being terminated$/);
    assert.equal(error.details.causes[0].reason, "NamespaceTerminating");
    return true;
  });
  await assert.rejects(send("DELETE", "/api/v1/namespaces/kube-system"), {
    message: 'namespaces "kube-system" is forbidden: this namespace may not be deleted',
  });
});

test("a new node is tainted until it is ready", async () => {
  const { send } = await setUp();
  const node = await send("POST", "/api/v1/nodes", { metadata: { name: "edge-1" } });
  assert.deepEqual(node.spec.taints, [
    { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" },
  ]);
});

test("claims and Ingresses get the youngest default class", async () => {
  const { clock, send } = await setUp();
  const storage = "/apis/storage.k8s.io/v1/storageclasses";
  const annotations = { "storageclass.kubernetes.io/is-default-class": "true" };
  for (const name of ["older", "younger"]) {
    await send("POST", storage, { metadata: { name, annotations }, provisioner: "x" });
    await clock.advance(1000);
  }
  const claim = await send("POST", "/api/v1/namespaces/default/persistentvolumeclaims", {
    metadata: { name: "data" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  });
  assert.equal(claim.spec.storageClassName, "younger");
  await send("POST", "/apis/networking.k8s.io/v1/ingressclasses", {
    metadata: {
      name: "edge",
      annotations: { "ingressclass.kubernetes.io/is-default-class": "true" },
    },
    spec: { controller: "example.com/edge" },
  });
  const ingress = await send("POST", "/apis/networking.k8s.io/v1/namespaces/default/ingresses", {
    metadata: { name: "web" },
    spec: { defaultBackend: { service: { name: "web", port: { number: 80 } } } },
  });
  assert.equal(ingress.spec.ingressClassName, "edge");
});

test("a LimitRange fills in what containers leave out and refuses what is too much", async () => {
  const { send, pod, account } = await setUp();
  await account("default");
  await send("POST", "/api/v1/namespaces/default/limitranges", {
    metadata: { name: "limits" },
    spec: {
      limits: [
        {
          type: "Container",
          default: { cpu: "500m" },
          defaultRequest: { cpu: "100m" },
          max: { cpu: "1" },
        },
        { type: "Pod", max: { cpu: "1500m" } },
      ],
    },
  });
  const { spec, metadata } = await pod("small");
  assert.deepEqual(spec.containers[0].resources, {
    requests: { cpu: "100m" },
    limits: { cpu: "500m" },
  });
  assert.equal(
    metadata.annotations["kubernetes.io/limit-ranger"],
    "LimitRanger plugin set: cpu request for container main; cpu limit for container main",
  );
  const container = { name: "main", image: "busybox", resources: { limits: { cpu: "2" } } };
  await assert.rejects(pod("big", { containers: [container] }), {
    message: /maximum cpu usage per Container is 1, but limit is 2/,
  });
});

test("limits are judged by minimum, maximum and ratio", () => {
  const item = { type: "Container", min: { cpu: "100m" }, max: { cpu: "1" } };
  const ratio = { type: "Container", maxLimitRequestRatio: { cpu: "2" } };
  const table: [object, object, string[]][] = [
    [item, { requests: { cpu: "100m" }, limits: { cpu: "1" } }, []],
    [
      item,
      { requests: { cpu: "50m" }, limits: { cpu: "1" } },
      ["minimum cpu usage per Container is 100m, but request is 50m"],
    ],
    [
      item,
      { requests: { cpu: "100m" } },
      ["maximum cpu usage per Container is 1.  No limit is specified"],
    ],
    [
      ratio,
      { requests: { cpu: "100m" }, limits: { cpu: "400m" } },
      ["cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000"],
    ],
  ];
  for (const [limits, resources, expected] of table) {
    assert.deepEqual(violations(limits as any, resources), expected);
  }
});

test("a pod's total counts its sidecars, its start and its own word", () => {
  const asks = (cpu: string, rest: object = {}) => ({ resources: { requests: { cpu } }, ...rest });
  const containers = [asks("100m"), asks("200m")];
  const total = (spec: object) => totalOf({ containers, ...spec }).requests!["cpu"];
  assert.equal(Number(total({})).toFixed(3), "0.300");
  assert.equal(total({ initContainers: [asks("1")] }), 1);
  const sidecar = asks("500m", { restartPolicy: "Always" });
  assert.equal(Number(total({ initContainers: [sidecar] })).toFixed(3), "0.800");
  assert.equal(total({ initContainers: [sidecar, asks("1")] }), 1.5);
  assert.equal(total({ resources: { requests: { cpu: "2" } } }), "2");
});

test("admin access to devices needs the namespace's word", () => {
  const spec = {
    devices: { requests: [{ name: "r", exactly: { adminAccess: true } }, { name: "s" }] },
  };
  assert.deepEqual(adminRequests(spec, "spec"), ["spec.devices.requests[0].exactly.adminAccess"]);
  assert.deepEqual(adminRequests({ devices: { requests: [{ exactly: {} }] } }, "spec"), []);
});
