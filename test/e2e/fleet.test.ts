// Many sites at once: placements choose them, and a rollout gives them their works one after the other.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

const names = ["alpha", "beta", "gamma"];
let hub: Site;
let sites: Site[];

before(async () => {
  hub = await startSite("--name", "centre", "--hub", "--no-node");
  sites = await Promise.all(names.map((name) => startSite("--name", name, "--no-node")));
  for (const [i, site] of sites.entries()) {
    await site.attach(hub, names[i]!);
  }
  const size = ["alpha", "beta"].map((name) => `managedcluster/${name}`);
  await hub.kubectl(["label", ...size, "size=small"]);
});
after(() => Promise.all([hub, ...sites].map((site) => site?.remove())));

const placement = `
apiVersion: v1
kind: Namespace
metadata: {name: team}
---
apiVersion: cluster.open-cluster-management.io/v1beta2
kind: ManagedClusterSetBinding
metadata: {name: global, namespace: team}
spec: {clusterSet: global}
---
apiVersion: cluster.open-cluster-management.io/v1beta1
kind: Placement
metadata: {name: small, namespace: team}
spec:
  predicates:
  - requiredClusterSelector:
      labelSelector: {matchLabels: {size: small}}
      celSelector: {celExpressions: ['managedCluster.metadata.name != "centre"']}
`;

const kindOf = { good: "ConfigMap", bad: "Misconfigured" } as const;
const replicaSet = (colour: string, kind: string = kindOf.good) => `
apiVersion: work.open-cluster-management.io/v1alpha1
kind: ManifestWorkReplicaSet
metadata:
  name: paint
  namespace: team
  annotations: {fleet.kerb.dev/on-failure: RollBack}
spec:
  placementRefs:
  - name: small
    rolloutStrategy: {type: Progressive, progressive: {maxConcurrency: 1}}
  manifestWorkTemplate:
    workload:
      manifests:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: paint, namespace: default}, data: {colour: ${colour}}}
      - {apiVersion: v1, kind: ${kind}, metadata: {name: more, namespace: default}}
`;

const chosen = async (name: string) =>
  (await hub.get("placementdecisions", "-n", "team")).items
    .filter(({ metadata }: any) => metadata.name.startsWith(name))
    .flatMap(({ status }: any) => status.decisions.map((one: any) => one.clusterName));
const colourAt = async (site: Site) => {
  const { stdout } = await site.tryKubectl([
    ...["get", "configmap", "paint", "-o", "jsonpath={.data.colour}"],
  ]);
  return stdout;
};
const colours = () => Promise.all(sites.map(colourAt));
/** Of the content that is asked for now. */
const rolledOut = (reason: string, message = /./) =>
  eventually(async () => {
    const { status, metadata } = await hub.get("manifestworkreplicaset", "paint", "-n", "team");
    const found = status?.conditions?.find((one: any) => one.type === "PlacementRolledOut");
    const isOfThis = found?.observedGeneration === metadata.generation;
    return isOfThis && found.reason === reason && message.test(found.message) && found;
  }, `a rollout that is ${reason}`);

test("a placement chooses the sites of its namespace's sets that it asks for", async () => {
  await hub.apply(placement);
  await hub.kubectl([
    ...["wait", "placement/small", "-n", "team", "--for=condition=PlacementSatisfied"],
    "--timeout=120s",
  ]);
  assert.deepEqual(await chosen("small"), ["alpha", "beta"]);
});

test("an expression that is none is said, and what was decided stays", async () => {
  const wrong = ["--type", "json", "-p"];
  const at = "/spec/predicates/0/requiredClusterSelector/celSelector/celExpressions/0";
  const put = (value: string) =>
    hub.kubectl([
      ...["patch", "placement", "small", "-n", "team", ...wrong],
      JSON.stringify([{ op: "replace", path: at, value }]),
    ]);
  await put("managedCluster.(");
  await hub.kubectl([
    ...["wait", "placement/small", "-n", "team", "--for=condition=PlacementMisconfigured"],
    "--timeout=120s",
  ]);
  assert.deepEqual(await chosen("small"), ["alpha", "beta"]);
  await put("managedCluster.status.clusterClaims.exists(c, c.value == 'Kerb')");
  await hub.kubectl([
    ...["wait", "placement/small", "-n", "team", "--for=condition=PlacementSatisfied"],
    "--timeout=120s",
  ]);
  // Sites say their claims a moment after they joined.
  await eventually(async () => (await chosen("small")).join() === "alpha,beta", "both chosen");
});

test("a replica set gives the chosen sites their works, and says how many are done", async () => {
  await hub.apply(replicaSet("red"));
  await rolledOut("Complete");
  assert.deepEqual(await colours(), ["red", "red", ""]);
  const { status } = await hub.get("manifestworkreplicaset", "paint", "-n", "team");
  const { total, available, updated } = status.summary;
  assert.deepEqual([total, available, updated], [2, 2, 2]);
});

test("a site that comes to match gets its work, one that no longer does loses it", async () => {
  await hub.kubectl(["label", "managedcluster/gamma", "size=small"]);
  await eventually(async () => (await colours()).join() === "red,red,red", "the third site");
  await hub.kubectl(["label", "managedcluster/gamma", "size-"]);
  await eventually(async () => (await colours()).join() === "red,red,", "its end there");
});

test("content that fails at the first site goes back there, and reaches no other", async () => {
  await rolledOut("Complete");
  await hub.apply(replicaSet("black", kindOf.bad));
  const { message } = await rolledOut("Stopped", /no site has this content/);
  assert.match(message, /until it is changed/);
  assert.deepEqual(await colours(), ["red", "red", ""]);
  await hub.apply(replicaSet("blue"));
  await rolledOut("Complete");
  assert.deepEqual(await colours(), ["blue", "blue", ""]);
});

test("a paused rollout begins nothing, and goes on when it is told to", async () => {
  const paused = (value: string) =>
    hub.kubectl(["annotate", "manifestworkreplicaset/paint", "-n", "team", value, "--overwrite"]);
  await paused("fleet.kerb.dev/paused=true");
  await hub.kubectl(
    ["patch", "manifestworkreplicaset", "paint", "-n", "team", "--type=json", "-p"].concat(
      JSON.stringify([
        {
          op: "replace",
          path: "/spec/manifestWorkTemplate/workload/manifests/0/data/colour",
          value: "green",
        },
      ]),
    ),
  );
  const { message } = await rolledOut("Paused");
  assert.match(message, /2 sites get the content once it is no longer paused/);
  assert.deepEqual(await colours(), ["blue", "blue", ""]);
  await paused("fleet.kerb.dev/paused-");
  await rolledOut("Complete");
  assert.deepEqual(await colours(), ["green", "green", ""]);
});

test("an override changes what the sites that it selects get, and is rolled out as content is", async () => {
  await hub.apply(`
apiVersion: fleet.kerb.dev/v1alpha1
kind: Override
metadata: {name: alpha-is-white, namespace: team}
spec:
  siteSelector: {matchLabels: {corner: north}}
  rules:
  - target: {kind: ConfigMap, name: paint}
    patches: [{patch: {data: {colour: white}}}]
`);
  await rolledOut("Complete");
  assert.deepEqual(await colours(), ["green", "green", ""]);
  await hub.kubectl(["label", "managedcluster/alpha", "corner=north"]);
  await eventually(async () => (await colours()).join() === "white,green,", "the override");
  await hub.kubectl(["delete", "override", "alpha-is-white", "-n", "team"]);
  await eventually(async () => (await colours()).join() === "green,green,", "its end");
});

const paint = (colour: string) => hub.apply(replicaSet(colour));

test("outside its maintenance window a site gets nothing", async () => {
  // The hour after next, so that no minute of this test lies in it.
  const hour = (new Date().getUTCHours() + 2) % 24;
  await hub.apply(`
apiVersion: fleet.kerb.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: nights}
spec: {schedule: "0 ${hour} * * *", duration: 30m, timeZone: UTC}
`);
  await hub.kubectl(["wait", "mw/nights", "--for=condition=Valid", "--timeout=120s"]);
  await paint("pink");
  const { message } = await rolledOut("Waiting");
  assert.match(message, /alpha: outside its maintenance window/);
  assert.deepEqual(await colours(), ["green", "green", ""]);
  await hub.kubectl(["delete", "mw", "nights"]);
  await rolledOut("Complete");
  assert.deepEqual(await colours(), ["pink", "pink", ""]);
});

test("a window that cannot be understood says so", async () => {
  await hub.apply(`
apiVersion: fleet.kerb.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: never}
spec: {schedule: "at night", duration: 30m, siteSelector: {matchLabels: {no: one}}}
`);
  await hub.kubectl(["wait", "mw/never", "--for=condition=Valid=False", "--timeout=120s"]);
  await hub.kubectl(["delete", "mw", "never"]);
});

test("a condition at a site becomes an alarm at the hub, which blocks that site until it is over", async () => {
  const setReady = (status: string) =>
    sites[0]!.kubectl([
      ...["patch", "node", "box", "--subresource=status", "--type=merge", "-p"],
      JSON.stringify({
        status: {
          conditions: [
            {
              type: "MemoryPressure",
              status,
              reason: "Test",
              message: "the box is full",
              lastTransitionTime: new Date().toISOString(),
            },
          ],
        },
      }),
    ]);
  await sites[0]!.apply("apiVersion: v1\nkind: Node\nmetadata: {name: box}");
  await setReady("True");
  const alarm = async () =>
    (await hub.get("alarms", "-n", "alpha")).items.find(
      ({ spec }: any) => spec.id === "NodeMemoryPressure",
    );
  await eventually(alarm, "the alarm at the hub");
  await paint("gold");
  await rolledOut("Waiting", /alarm NodeMemoryPressure of Node\/box: the box is full/);
  await eventually(async () => (await colours()).join() === "pink,gold,", "the other site");
  await setReady("False");
  await rolledOut("Complete");
  assert.deepEqual(await colours(), ["gold", "gold", ""]);
  assert.ok((await alarm()).status.clearedAt);
  const listed = await hub.kubectl(["get", "alarms", "-n", "alpha"]);
  assert.match(listed, /SEVERITY +ID +ENTITY +REASON +RAISED +CLEARED/);
});

test("a placement that matches nothing says so, and so does what was to follow it", async () => {
  const nowhere = replicaSet("grey")
    .replaceAll("paint", "lost")
    .replace("name: small", "name: none");
  await hub.apply(`
apiVersion: cluster.open-cluster-management.io/v1beta1
kind: Placement
metadata: {name: none, namespace: team}
spec:
  predicates: [{requiredClusterSelector: {labelSelector: {matchLabels: {size: none}}}}]
---${nowhere}`);
  const untilSaid = (what: string[], type: string, reason: string) =>
    eventually(
      async () => {
        const { status } = await hub.get(...what, "-n", "team");
        return status?.conditions?.find((one: any) => one.type === type)?.reason === reason;
      },
      `${reason} of ${what.join("/")}`,
    );
  await untilSaid(["placement", "none"], "PlacementSatisfied", "NoManagedClusterMatched");
  // It may be seen before its placement is.
  const lost = ["manifestworkreplicaset", "lost"];
  await untilSaid(lost, "PlacementVerified", "PlacementDecisionEmpty");
  await hub.kubectl(["delete", "manifestworkreplicaset/lost", "placement/none", "-n", "team"]);
});

test("a replica set that is deleted takes its works along", async () => {
  await hub.kubectl(["delete", "manifestworkreplicaset", "paint", "-n", "team"]);
  await eventually(async () => (await colours()).join("") === "", "the end of all");
});
