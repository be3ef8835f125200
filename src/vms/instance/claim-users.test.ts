import assert from "node:assert/strict";
import { test } from "node:test";
import { claimConflict } from "./claim-users.ts";

interface Shape {
  phase?: string;
  disk?: object;
  volume?: object;
}
const own = { persistentVolumeClaim: { claimName: "data" } };
const vmi = (name: string, { phase = "Running", disk = { disk: {} }, volume = own }: Shape = {}) =>
  ({
    metadata: { name, namespace: "shop", uid: name },
    spec: {
      domain: { devices: { disks: [{ name: "root", ...disk }] } },
      volumes: [{ name: "root", ...volume }],
    },
    status: { phase },
  }) as any;

test("of two guests on one claim the second waits, and is told for whom", () => {
  const second = vmi("second", { phase: "Pending" });
  const found = claimConflict(second, [second, vmi("first")]);
  assert.equal(found?.reason, "PVCInUse");
  assert.match(found!.message, /PVC shop\/data is a disk of VMI first.*shareable: true/);
  const free = (...others: object[]) =>
    assert.equal(claimConflict(second, others as any), undefined);
  free(second);
  free(vmi("ended", { phase: "Succeeded" }));
  free(vmi("later", { phase: "Pending" }));
  free(vmi("elsewhere", { volume: { dataVolume: { name: "other" } } }));
  assert.ok(claimConflict(second, [vmi("by-dv", { volume: { dataVolume: { name: "data" } } })]));
});

test("guests that only read, or say that they share, have one claim together", () => {
  const reader = { volume: { persistentVolumeClaim: { claimName: "data", readOnly: true } } };
  const layer = { volume: { ephemeral: { persistentVolumeClaim: { claimName: "data" } } } };
  const sharing = { disk: { disk: {}, shareable: true } };
  const pending = (shape: Shape) => vmi("second", { ...shape, phase: "Pending" });
  assert.equal(claimConflict(pending(reader), [vmi("first", layer)]), undefined);
  assert.ok(claimConflict(pending(reader), [vmi("first")]), "what one writes the other reads");
  assert.equal(claimConflict(pending(sharing), [vmi("first", sharing)]), undefined);
  assert.ok(claimConflict(pending(sharing), [vmi("first")]), "only one says so");
});
