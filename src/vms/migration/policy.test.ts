import assert from "node:assert/strict";
import { test } from "node:test";
import { policyOf, settingsOf } from "./policy.ts";

const object = (name: string, labels: object, spec: object = {}): any => ({
  metadata: { name, labels },
  spec,
});
const policy = (name: string, own: object, around?: object) =>
  object(
    name,
    {},
    {
      selectors: {
        virtualMachineInstanceSelector: own,
        ...(around && { namespaceSelector: around }),
      },
    },
  );
const vmi = object("till", { os: "linux", size: "large" });
const shop = object("shop", { team: "a", site: "b" });

test("the policy that names most of a guest's and its namespace's labels is its", () => {
  const cases: [any[], string | undefined][] = [
    [[], undefined],
    [[policy("other", { os: "windows" })], undefined],
    [[policy("half", { os: "linux", size: "small" })], undefined],
    [[policy("elsewhere", { os: "linux" }, { team: "z" })], undefined],
    [[policy("all", {})], "all"],
    [[policy("all", {}), policy("one", { os: "linux" })], "one"],
    [[policy("b", { os: "linux" }), policy("a", { size: "large" })], "a"],
    [[policy("around", {}, { team: "a" }), policy("own", { os: "linux" })], "own"],
    [[policy("own", { os: "linux" }), policy("around", {}, { team: "a", site: "b" })], "around"],
  ];
  for (const [policies, expected] of cases) {
    assert.equal(policyOf(policies, vmi, shop)?.metadata.name, expected);
  }
});

test("a policy goes before the cluster in what it says, and in nothing else", () => {
  const spec = { selectors: {}, allowPostCopy: false, bandwidthPerMigration: "1Mi" };
  assert.deepEqual(settingsOf(object("p", {}, spec)), {
    allowPostCopy: false,
    bandwidthPerMigration: "1Mi",
  });
  assert.equal(settingsOf(policy("silent", {})), undefined);
  assert.equal(settingsOf(undefined), undefined);
});
