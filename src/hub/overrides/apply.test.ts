import assert from "node:assert/strict";
import { test } from "node:test";
import { isStatus } from "../../lib/status-error.ts";
import { applyOverrides } from "./apply.ts";
import type { Manifest, OverrideRule } from "./apply.ts";

const web: Manifest = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "shop" },
  spec: {
    replicas: 3,
    template: {
      spec: {
        initContainers: [{ name: "i", image: "localhost:5000/tools/init:1" }],
        containers: [
          { name: "w", image: "web:1.0@sha256:aa" },
          { name: "log", image: "log" },
        ],
      },
    },
  },
};
const settings: Manifest = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "settings", namespace: "shop" },
  data: { colour: "red" },
};

const at = (rules: OverrideRule[], labels: Record<string, string> = {}) =>
  applyOverrides([web, settings], rules, labels);
const imagesOf = ([first]: Manifest[]) => {
  const { initContainers, containers } = first!.spec.template.spec;
  return [...initContainers, ...containers].map((one: any) => one.image);
};

test("a site that no rule names gets the manifests as they are", () => {
  const small = { siteSelector: { matchLabels: { size: "s" } }, replicas: 1 };
  assert.deepEqual(at([small], { size: "l" }), [web, settings]);
});

test("replicas change by the site's label, and only where there are any", () => {
  const small = { siteSelector: { matchLabels: { size: "s" } }, replicas: 1 };
  const [deployment, map] = at([small], { size: "s" });
  assert.equal(deployment!.spec.replicas, 1);
  assert.equal(map, settings);
  assert.equal(web.spec.replicas, 3, "the template is as it was");
});

const images: [string, OverrideRule["images"], string[]][] = [
  [
    "a mirror",
    [{ newRegistry: "mirror.local:5000" }],
    [
      "mirror.local:5000/tools/init:1",
      "mirror.local:5000/web:1.0@sha256:aa",
      "mirror.local:5000/log",
    ],
  ],
  ["a tag", [{ name: "web", newTag: "2" }], ["localhost:5000/tools/init:1", "web:2", "log"]],
  [
    "a digest",
    [{ name: "log", newName: "log2", digest: "sha256:bb" }],
    ["localhost:5000/tools/init:1", "web:1.0@sha256:aa", "log2@sha256:bb"],
  ],
];
for (const [what, rules, expected] of images) {
  test(`images get ${what}`, () => assert.deepEqual(imagesOf(at([{ images: rules! }])), expected));
}

test("patches merge, or change single places, in their order", () => {
  const target = { group: "", kind: "ConfigMap" };
  const [deployment, map] = at([
    { target, patches: [{ patch: { data: { colour: "blue", size: "s" } } }] },
    { target, patches: [{ type: "json", patch: [{ op: "remove", path: "/data/size" }] }] },
  ]);
  assert.equal(deployment, web);
  assert.deepEqual(map!.data, { colour: "blue" });
});

test("an override that makes another object of it is refused", () => {
  const patches = [{ patch: { metadata: { name: "other" } } }];
  assert.throws(
    () => at([{ patches }]),
    (error) => isStatus(error, "BadRequest"),
  );
});
