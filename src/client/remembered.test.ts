import assert from "node:assert/strict";
import { test } from "node:test";
import { resource } from "./client.ts";
import { forgotten, tokenFile, watchFile } from "./remembered.ts";

const watched = (plural: string, name: string, namespace = "default") =>
  watchFile({ ...resource("v1", plural), namespace }, { fieldSelector: `metadata.name=${name}` });

const token = (uid: string) =>
  tokenFile(
    { ...resource("v1", "serviceaccounts"), namespace: "default", name: "a", subresource: "token" },
    { spec: { audiences: ["x"], boundObjectRef: { kind: "Pod", uid } } },
  );

const pod = (uid: string, spec: object, namespace = "default") =>
  ({ metadata: { name: "p", namespace, uid }, spec: { containers: [], ...spec } }) as any;

const withSecret = (name: string) => ({ volumes: [{ name: "v", secret: { secretName: name } }] });
const withVariables = (name: string) => ({
  containers: [{ name: "c", envFrom: [{ configMapRef: { name } }] }],
});

const pods = watchFile(resource("v1", "pods"), { fieldSelector: "spec.nodeName=n" });

const cases = [
  { what: "a Secret that a volume names", name: watched("secrets", "s"), stays: true },
  { what: "a Secret of a pod that is gone", name: watched("secrets", "old"), stays: false },
  { what: "its namesake in another namespace", name: watched("secrets", "s", "b"), stays: false },
  {
    what: "a ConfigMap whose name is that of a Secret",
    name: watched("configmaps", "s"),
    stays: false,
  },
  { what: "a ConfigMap of variables", name: watched("configmaps", "c"), stays: true },
  {
    what: "a ConfigMap that the node itself follows",
    name: watched("configmaps", "dns"),
    stays: true,
  },
  { what: "a token of a pod that runs", name: token("1"), stays: true },
  { what: "a token of a pod that is gone", name: token("9"), stays: false },
  { what: "a token that is nobody's", name: "token-0123456789abcdef", stays: false },
  { what: "what a write left half done", name: `${watched("secrets", "s")}.new`, stays: false },
  { what: "the node's pods", name: pods, stays: true },
  { what: "a claim", name: "object-0123", stays: true },
  { what: "events that wait", name: "events", stays: true },
];

for (const { what, name, stays } of cases) {
  test(`${what} ${stays ? "is kept" : "is forgotten"}`, () => {
    const needed = {
      held: new Set([watched("configmaps", "dns")]),
      pods: [pod("1", withSecret("s")), pod("2", withVariables("c"))],
    };
    assert.deepEqual(forgotten([name], needed), stays ? [] : [name]);
  });
}
