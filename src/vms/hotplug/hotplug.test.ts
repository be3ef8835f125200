import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutVolume, withVolume } from "./edit-spec.ts";
import { planHotplug, withVolumeStatus } from "./plan.ts";

const spec = {
  domain: { devices: { disks: [{ name: "root", disk: {} }] } },
  volumes: [{ name: "root", dataVolume: { name: "root" } }],
};
const request = {
  name: "more",
  disk: { disk: {} },
  volumeSource: { persistentVolumeClaim: { claimName: "data" } },
};

test("a volume that is added is one that may be removed, and no other is", () => {
  const more = withVolume(spec, request, "till");
  assert.deepEqual(more.volumes[1], {
    name: "more",
    persistentVolumeClaim: { claimName: "data", hotpluggable: true },
  });
  assert.deepEqual(more.domain.devices.disks[1], { name: "more", disk: { bus: "scsi" } });
  assert.deepEqual(withoutVolume(more, "more", "till"), spec);
  assert.throws(() => withVolume(more, request, "till"), /already exists/);
  assert.throws(() => withoutVolume(spec, "root", "till"), /not hotpluggable/);
  assert.throws(() => withoutVolume(spec, "none", "till"), /"till": .*none.* does not exist/);
  assert.throws(
    () => withVolume(spec, { ...request, disk: { disk: { bus: "sata" } } }, "till"),
    /disk.disk.bus: sata/,
  );
  assert.throws(() => withVolume(spec, { ...request, disk: { cdrom: {} } }, "till"), /only disks/);
  assert.throws(() => withVolume(spec, { ...request, volumeSource: {} }, "till"), /volumeSource/);
});

test("what the spec has and the guest has not is plugged in, and the other way round", () => {
  const vmi = (volumes: any[], volumeStatus: any[]): any => ({
    spec: { volumes },
    status: { volumeStatus },
  });
  const { volumes } = withVolume(spec, request, "till");
  assert.deepEqual(planHotplug(vmi(volumes, [{ name: "root", target: "vda" }])), {
    add: [{ name: "more", claim: "data" }],
    remove: [],
  });
  const state = { name: "more", phase: "Ready", reason: "VolumeReady", message: "" };
  const ready = withVolumeStatus([{ name: "root", target: "vda" }], state);
  assert.equal(ready[1].target, "sda");
  const second = withVolumeStatus(ready, { ...state, name: "other", bus: "virtio" });
  assert.equal(second[2].target, "vdb");
  const waiting = withVolumeStatus([], { ...state, phase: "Bound" });
  assert.equal(waiting[0].target, "");
  assert.deepEqual(planHotplug(vmi(volumes, ready)), { add: [], remove: [] });
  assert.deepEqual(planHotplug(vmi(spec.volumes, ready)), { add: [], remove: ["more"] });
});
