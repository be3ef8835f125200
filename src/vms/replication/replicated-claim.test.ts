import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalOf, replicatedPersistentVolume } from "./replicated-claim.ts";

const claim = (spec: object = {}): any => ({
  metadata: { namespace: "shop", name: "data", uid: "u" },
  spec: {
    ...{ accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    ...spec,
  },
});
const storageClass = (parameters?: object): any => ({
  metadata: { name: "kerb-replicated" },
  ...(parameters && { parameters }),
});

test("what is not kept is refused by name", () => {
  const rows: [object, object | undefined, RegExp | undefined][] = [
    [{}, undefined, undefined],
    [{}, { replicas: "2" }, undefined],
    [{}, { replicas: "3" }, undefined],
    [{}, { replicas: "1" }, /replicas: 1 are not kept; 2 or 3 are/],
    [{}, { replicas: "4" }, /replicas: 4 are not kept; 2 or 3 are/],
    [{}, { replicas: "2", fsType: "ext4" }, /parameter fsType of the class is not known/],
    [{ volumeMode: "Block" }, undefined, /volumeMode: Block is not replicated/],
  ];
  for (const [spec, parameters, wanted] of rows) {
    const why = refusalOf(claim(spec), storageClass(parameters));
    if (wanted) assert.match(why!, wanted);
    else assert.equal(why, undefined);
  }
});

test("a volume is there on the nodes of its copies and nowhere else", () => {
  const { metadata, spec } = replicatedPersistentVolume(claim(), storageClass(), ["a", "b"]) as any;
  assert.equal(metadata.name, "pvc-u");
  const [{ matchExpressions }] = spec.nodeAffinity.required.nodeSelectorTerms;
  assert.deepEqual(matchExpressions[0].values, ["a", "b"]);
  assert.deepEqual(spec.claimRef.uid, "u");
  assert.equal(spec.persistentVolumeReclaimPolicy, "Delete");
});
