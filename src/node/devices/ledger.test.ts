import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceLedger } from "./ledger.ts";

const grant = { envs: {}, mounts: [], devices: [], annotations: {}, cdi_devices: [] };
const allocation = {
  podUid: "a",
  container: "main",
  resource: "example.com/camera",
  ids: ["c0"],
  grant,
};
const before = { resources: ["example.com/camera"], allocations: [allocation] };
const healthIn = (ledger: DeviceLedger) =>
  ledger.healthOf("a", "main").map(({ resources }) => resources[0]?.health);

test("after a restart a device is unknown until its plugin is back, and unhealthy once that knows it no more", () => {
  const ledger = new DeviceLedger(before);
  assert.deepEqual(healthIn(ledger), ["Unknown"]);
  ledger.doubt("example.com/camera");
  assert.deepEqual(healthIn(ledger), ["Unknown"]);
  ledger.set("example.com/camera", []);
  assert.deepEqual(healthIn(ledger), ["Unhealthy"]);
});
