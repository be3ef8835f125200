import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { agentUser, clusterGroup, clusterNameLabel, managedClustersGroup } from "../names.ts";
import { clusterOf, decisionOf } from "./cluster-csr.ts";
import { clockCondition, taintsOf } from "./cluster-lease.ts";
import { acceptingRule } from "./auto-accept.ts";
import { nextLineage } from "./lineage.ts";
import { acceptance } from "./managed-cluster.ts";
import { returningSite } from "./returning.ts";

const subject = {
  commonName: agentUser("farm", "a1"),
  organizations: [clusterGroup("farm"), managedClustersGroup],
};
const request = (spec: object = {}, cluster = "farm") =>
  ({
    metadata: { name: "csr-x", labels: { [clusterNameLabel]: cluster } },
    spec: { signerName: "kubernetes.io/kube-apiserver-client", ...spec },
  }) as unknown as KubeObject;

for (const [what, asked, who] of [
  ["another site's label", request({}, "shop"), subject],
  ["another signer", request({ signerName: "example.org/x" }), subject],
  [
    "a further group",
    request(),
    { ...subject, organizations: [clusterGroup("farm"), "system:masters"] },
  ],
  ["without its own group", request(), { ...subject, organizations: [managedClustersGroup] }],
  ["another's name", request(), { ...subject, commonName: agentUser("shop", "a1") }],
  ["a longer name", request(), { ...subject, commonName: `${agentUser("farm", "a1")}:x` }],
] as const) {
  test(`a request with ${what} is nobody's here`, () => {
    assert.equal(clusterOf(asked, who), undefined);
  });
}

for (const [what, spec, decision] of [
  ["a token of that site", { groups: ["system:bootstrappers:kerb:sites:farm"] }, "invited"],
  ["a token of another site", { groups: ["system:bootstrappers:kerb:sites:shop"] }, "wait"],
  ["a token of no site", { groups: ["system:bootstrappers:kerb:sites"] }, "wait"],
  ["its own certificate", { username: subject.commonName }, "renewal"],
  [
    "its expired certificate",
    {
      username: `returning:${subject.commonName}`,
      groups: ["system:bootstrappers:kerb:returning-sites"],
    },
    "return",
  ],
  ["a name that only looks so", { username: `returning:${subject.commonName}` }, "wait"],
  ["another agent's", { username: agentUser("farm", "a2") }, "wait"],
] as const) {
  test(`a request with ${what}: ${decision}`, () => {
    const asked = request(spec);
    assert.equal(clusterOf(asked, subject), "farm");
    assert.equal(decisionOf(asked, "farm", subject), decision);
  });
}

const cluster = (status: string, taints?: object[]) =>
  ({
    metadata: { name: "farm" },
    spec: { ...(taints && { taints }) },
    status: { conditions: [{ type: "ManagedClusterConditionAvailable", status }] },
  }) as unknown as KubeObject;

test("taints follow the availability, keep their time, and leave others alone", () => {
  const own = { key: "site", effect: "NoSelect" };
  const unknown = taintsOf(cluster("Unknown", [own]), "2026-01-01T00:00:00Z");
  assert.deepEqual(
    unknown.map(({ key, timeAdded }) => [key, timeAdded]),
    [
      ["site", undefined],
      ["cluster.open-cluster-management.io/unreachable", "2026-01-01T00:00:00Z"],
    ],
  );
  assert.deepEqual(taintsOf(cluster("Unknown", unknown), "2027-01-01T00:00:00Z"), unknown);
  assert.deepEqual(taintsOf(cluster("True", unknown), "2027-01-01T00:00:00Z"), [own]);
});

test("a clock years away is told, and is no reason to doubt the site", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  assert.equal(clockCondition("2026-01-01T00:02:00Z", now).status, "True");
  assert.equal(clockCondition("1970-01-01T00:00:00Z", now).status, "False");
});

test("a site is denied only after it was accepted or looked at", () => {
  const named = (spec: object, conditions: object[] = []) =>
    ({ metadata: { name: "farm" }, spec, status: { conditions } }) as unknown as KubeObject;
  assert.equal(acceptance(named({})), undefined);
  assert.equal(acceptance(named({ hubAcceptsClient: true }))!.status, "True");
  const was = { type: "HubAcceptedManagedCluster", status: "True" };
  assert.equal(acceptance(named({}, [was]))!.reason, "HubClusterAdminDenied");
});

const rule = (name: string, spec: object) =>
  ({ metadata: { name }, spec }) as unknown as Parameters<typeof acceptingRule>[0][number];
const shops = { groups: ["system:bootstrappers:kerb:sites"], names: ["shop-*"] };

for (const [what, spec, cluster, accepted] of [
  ["its group and name", shops, "shop-7", true],
  ["its group, and another name", shops, "farm", false],
  ["its group, and any name", { groups: shops.groups }, "farm", true],
  ["its user", { users: ["ann"] }, "farm", true],
  ["nobody", { names: ["*"] }, "farm", false],
  ["a name that is no pattern of letters", { ...shops, names: ["sh.p-7"] }, "shop-7", false],
] as const) {
  test(`a rule of ${what} ${accepted ? "accepts" : "does not accept"} ${cluster}`, () => {
    const who = { cluster, username: "ann", groups: ["system:bootstrappers:kerb:sites"] };
    assert.equal(acceptingRule([rule("r", spec)], who) !== undefined, accepted);
  });
}

test("a certificate may be followed by the next one until that is shown", () => {
  const given = (certificate: string, minute: number, shown?: string) => ({
    ...{ certificate, shown, askedAt: `2026-01-01T00:0${minute}:00Z` },
  });
  const first = nextLineage(undefined, given("a", 1));
  assert.deepEqual(first.certificates, ["a"]);
  const second = nextLineage(first, given("b", 2, "a"));
  assert.deepEqual(second.certificates, ["a", "b"]);
  // What it got was lost on the way, and it asks again.
  const third = nextLineage(second, given("c", 3, "a"));
  assert.deepEqual(third.certificates, ["a", "c"]);
  const fourth = nextLineage(third, given("d", 4, "c"));
  assert.deepEqual(fourth.certificates, ["c", "d"]);
  // Old requests are seen again.
  assert.equal(nextLineage(fourth, given("a", 1)), fourth);
  assert.equal(nextLineage(fourth, given("d", 4, "c")), fourth);
  assert.deepEqual(nextLineage(fourth, given("e", 5)).certificates, ["e"]);
});

test("only a site's expired certificate is still good for something", () => {
  const groups = [...subject.organizations, "system:authenticated"];
  const back = returningSite({ name: subject.commonName, groups });
  assert.equal(back!.name, `returning:${subject.commonName}`);
  assert.equal(back!.groups.includes(clusterGroup("farm")), false);
  assert.equal(returningSite({ name: "system:node:a", groups: ["system:nodes"] }), undefined);
  assert.equal(returningSite({ name: "admin", groups: ["system:masters"] }), undefined);
  assert.equal(returningSite({ name: subject.commonName, groups: ["system:masters"] }), undefined);
});
