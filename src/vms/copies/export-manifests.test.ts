import assert from "node:assert/strict";
import { test } from "node:test";
import { exportManifests, headerSecret } from "./export-manifests.ts";
import { exportLinks, parseManifestPath } from "./export-plan.ts";

const exported: any = {
  metadata: { namespace: "shop", name: "out" },
  spec: { source: { kind: "VirtualMachine", name: "till" } },
};
const at = { url: "https://site:1", ca: "pem" };
const vm: any = {
  metadata: {
    ...{ name: "till", uid: "u", labels: { app: "till" } },
    annotations: { "kubectl.kubernetes.io/last": "x", own: "y" },
  },
  status: { ready: true },
  spec: {
    dataVolumeTemplates: [{ metadata: { name: "root-dv" }, spec: { source: { blank: {} } } }],
    template: {
      spec: {
        volumes: [
          { name: "root", dataVolume: { name: "root-dv" } },
          { name: "data", persistentVolumeClaim: { claimName: "data-claim" } },
          { name: "seed", cloudInitNoCloud: {} },
        ],
      },
    },
  },
};
const claim = (storage: string) => ({
  ...{ accessModes: ["ReadWriteOnce"], storageClassName: "here", volumeName: "pvc-1" },
  resources: { requests: { storage } },
});
const parts = {
  ...{ exported, vm, at },
  claimSpecs: { "root-dv": claim("1Gi"), "data-claim": claim("2Gi") },
};
const http = (disk: string) => ({
  url: `https://site:1/api/export.kubevirt.io/v1/namespaces/shop/virtualmachineexports/out/volumes/${disk}/disk.img.gz`,
  certConfigMap: "export-ca-cm-out",
  secretExtraHeaders: ["header-secret-out"],
});

test("an export's manifests bring its machine up elsewhere, with its disks taken from here", () => {
  const disks = ["root-dv", "data-claim"].map((name) => ({ name, claim: name, file: "disk.img" }));
  const [authority, machine, volume, ...none] = exportManifests({ ...parts, disks }) as any[];
  assert.deepEqual(authority.data, { "ca.pem": "pem" });
  assert.deepEqual(machine.metadata, {
    name: "till",
    labels: { app: "till" },
    annotations: { own: "y" },
  });
  assert.equal(machine.status, undefined);
  const [template] = machine.spec.dataVolumeTemplates;
  assert.deepEqual(template.spec.source.http, http("root-dv"));
  // Classes and volumes are those of elsewhere.
  const requests = { storage: "2Gi" };
  assert.deepEqual(
    [volume.metadata.name, volume.spec],
    [
      "data-claim",
      {
        storage: { accessModes: ["ReadWriteOnce"], resources: { requests } },
        source: { http: http("data-claim") },
      },
    ],
  );
  assert.deepEqual(none, []);
  const { stringData } = headerSecret(exported, "secret");
  assert.deepEqual(stringData, { token: "x-kubevirt-export-token:secret" });
});

test("a snapshot's disks are named by volume, and become the claims that the machine had", () => {
  const disks = ["root", "data"].map((name) => ({ name, claim: "copies", file: `${name}.img` }));
  const [, machine, volume] = exportManifests({ ...parts, disks }) as any[];
  assert.deepEqual(machine.spec.dataVolumeTemplates[0].spec.source.http, http("root"));
  assert.deepEqual([volume.metadata.name, volume.spec.source.http], ["data-claim", http("data")]);
});

test("machines have manifests, and claims alone have none", () => {
  const types = (kind: string) =>
    exportLinks({ ...exported, spec: { source: { kind } } }, [], at).external.manifests?.map(
      ({ type, url }) => [type, parseManifestPath(new URL(url).pathname)?.file],
    );
  const both = [
    ["all", "all"],
    ["auth-header-secret", "secret"],
  ];
  assert.deepEqual(types("VirtualMachine"), both);
  assert.deepEqual(types("VirtualMachineSnapshot"), both);
  assert.equal(types("PersistentVolumeClaim"), undefined);
  const other = "/api/export.kubevirt.io/v1/namespaces/a/virtualmachineexports/b/manifests/../all";
  assert.equal(parseManifestPath(other), undefined);
});
