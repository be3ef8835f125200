import assert from "node:assert/strict";
import { test } from "node:test";
import { overridesOf } from "./select.ts";

const set = { metadata: { name: "web", labels: { app: "web" } } } as any;
const override = (name: string, spec: object) => ({ metadata: { name }, spec }) as any;

test("overrides of a set win by their priority and then by their name, each for its sites", () => {
  const small = { matchLabels: { size: "small" } };
  const rules = overridesOf(set, [
    override("b", { rules: [{ replicas: 2 }] }),
    override("first", { priority: -1, rules: [{ replicas: 0 }], siteSelector: small }),
    override("a", {
      rules: [{ replicas: 1 }],
      replicaSetSelector: { matchLabels: { app: "web" } },
    }),
    override("not", {
      rules: [{ replicas: 9 }],
      replicaSetSelector: { matchLabels: { app: "x" } },
    }),
  ]);
  assert.deepEqual(rules, [{ replicas: 0, siteSelector: small }, { replicas: 1 }, { replicas: 2 }]);
});
