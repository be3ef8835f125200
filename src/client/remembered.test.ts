import assert from "node:assert/strict";
import { test } from "node:test";
import { resource } from "./client.ts";
import { forgotten, objectFile, tokenFile, watchFile } from "./remembered.ts";

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

const withClaim = (claimName: string) => ({
  volumes: [{ name: "v", persistentVolumeClaim: { claimName } }],
});

const kinds = {
  PersistentVolumeClaim: resource("v1", "persistentvolumeclaims"),
  PersistentVolume: resource("v1", "persistentvolumes"),
  VolumeAttachment: resource("storage.k8s.io/v1", "volumeattachments"),
  CSIDriver: resource("storage.k8s.io/v1", "csidrivers"),
  ResourceClaim: resource("resource.k8s.io/v1", "resourceclaims"),
};
const read = new Map<string, any>();
function object(kind: keyof typeof kinds, name: string, spec: object = {}, namespace?: string) {
  const file = objectFile({ ...kinds[kind], name, ...(namespace && { namespace }) });
  read.set(file, { kind, metadata: { name, namespace }, spec });
  return file;
}
const claim = (name: string, namespace = "default") =>
  object("PersistentVolumeClaim", name, {}, namespace);
const volume = (name: string, ofClaim: string, driver: string) => {
  const claimRef = { namespace: "default", name: ofClaim };
  return object("PersistentVolume", name, { claimRef, csi: { driver } });
};
const attachment = (name: string, persistentVolumeName: string) =>
  object("VolumeAttachment", name, { source: { persistentVolumeName } });

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
  { what: "a claim that a pod names", name: claim("data"), stays: true },
  { what: "a claim of a pod that is gone", name: claim("old"), stays: false },
  { what: "its namesake in another namespace", name: claim("data", "b"), stays: false },
  { what: "the volume of a claim that is used", name: volume("pv", "data", "used"), stays: true },
  { what: "a volume of nobody", name: volume("pv-old", "old", "unused"), stays: false },
  { what: "a volume's attachment", name: attachment("here", "pv"), stays: true },
  { what: "an attachment of nobody's volume", name: attachment("gone", "pv-old"), stays: false },
  { what: "the driver of a used volume", name: object("CSIDriver", "used"), stays: true },
  { what: "the driver of a pod's own volume", name: object("CSIDriver", "inline"), stays: true },
  { what: "a driver that nobody uses", name: object("CSIDriver", "unused"), stays: false },
  {
    what: "a claim of devices",
    name: object("ResourceClaim", "gpu", {}, "default"),
    stays: true,
  },
  {
    what: "a claim of devices of a pod that is gone",
    name: object("ResourceClaim", "gpu-old", {}, "default"),
    stays: false,
  },
  { what: "an object that is not whole", name: "object-0123", stays: false },
  { what: "events that wait", name: "events", stays: true },
];

for (const { what, name, stays } of cases) {
  test(`${what} ${stays ? "is kept" : "is forgotten"}`, () => {
    const needed = {
      held: new Set([watched("configmaps", "dns")]),
      pods: [
        pod("1", withSecret("s")),
        pod("2", withVariables("c")),
        pod("3", withClaim("data")),
        pod("4", { volumes: [{ name: "v", csi: { driver: "inline" } }] }),
        pod("5", { resourceClaims: [{ name: "d", resourceClaimName: "gpu" }] }),
      ],
      read: (file: string) => read.get(file),
    };
    const all = [...new Set([name, ...read.keys()])];
    assert.equal(forgotten(all, needed).includes(name), !stays);
  });
}
