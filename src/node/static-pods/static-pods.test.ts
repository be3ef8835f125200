import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { isMirror, isStatic } from "./identity.ts";
import { mirrorOf, planMirrors } from "./mirrors.ts";
import { readManifest } from "./read-manifest.ts";

const source = { path: "/manifests/web.yaml", nodeName: "edge", now: 0 };
const text = (image = "web:1", spec = "") => `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers: [{name: web, image: "${image}"}]
${spec}`;

const node = { apiVersion: "v1", kind: "Node", metadata: { name: "edge", uid: "n" } } as KubeObject;

/** As the API would have it. */
function stored(pod: ReturnType<typeof readManifest>): KubeObject {
  const mirror = mirrorOf(pod, node);
  return { ...mirror, metadata: { ...mirror.metadata!, uid: "m" } } as KubeObject;
}

test("a file becomes a pod of this node, with the API's defaults and kubelet's annotations", () => {
  const pod = readManifest(text(), source);
  assert.equal(pod.metadata.name, "web-edge");
  assert.equal(pod.metadata.namespace, "default");
  assert.equal(pod.spec.nodeName, "edge");
  assert.equal(pod.spec.containers[0]!.imagePullPolicy, "IfNotPresent");
  assert.deepEqual(pod.spec["tolerations"], [{ effect: "NoExecute", operator: "Exists" }]);
  assert.equal(pod.metadata.annotations!["kubernetes.io/config.hash"], pod.metadata.uid);
  assert.ok(isStatic(pod) && !isMirror(pod));
});

test("the uid follows the content, not the time", () => {
  const uid = (image: string, now: number) =>
    readManifest(text(image), { ...source, now }).metadata.uid;
  assert.equal(uid("web:1", 0), uid("web:1", 5000));
  assert.notEqual(uid("web:1", 0), uid("web:2", 0));
});

for (const [what, file, message] of [
  ["another kind", "apiVersion: v1\nkind: Service", /only v1 Pod/],
  ["no spec", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}", /spec: Required/],
  ["an unknown field", text("web:1", "  nodename: x"), /unknown field "spec.nodename"/],
  ["a wrong type", text("web:1", "  hostNetwork: 7"), /hostNetwork/],
  ["a value the API refuses", text("web:1", "  restartPolicy: Sometimes"), /restartPolicy/],
  ["a Secret", text("web:1", "  imagePullSecrets: [{name: key}]"), /secrets\/key/],
  ["no name", text().replace("name: web, ", ""), /metadata.name: Required/],
] as const) {
  test(`a file with ${what} is refused by name`, () => {
    assert.throws(() => readManifest(file, source), message);
  });
}

test("every static pod has one mirror, made again when deleted, and replaced with its file", () => {
  const pod = readManifest(text(), source);
  const newer = readManifest(text("web:2"), source);
  const mirror = stored(pod);
  assert.ok(isMirror(mirror) && !isStatic(mirror));
  assert.deepEqual(planMirrors([pod], []), { create: [pod], remove: [], shown: [] });
  assert.deepEqual(planMirrors([pod], [mirror]).shown, [[pod, mirror]]);
  assert.deepEqual(planMirrors([newer], [mirror]).remove, [mirror]);
  assert.deepEqual(planMirrors([], [mirror]).remove, [mirror]);
  const leaving = { ...mirror, metadata: { ...mirror.metadata, deletionTimestamp: "x" } };
  assert.deepEqual(planMirrors([pod], [leaving]).remove, [leaving]);
});
