import assert from "node:assert/strict";
import { test } from "node:test";
import * as contract from "./domain.ts";

test("nothing of a launcher pod lies in the way of a volume, whatever its name", () => {
  const { launcherPaths: paths, runVolume } = contract;
  const volumes = ["run", "vm", "..a", "user"].map((name) => paths.disk(name));
  for (const path of volumes) assert.ok(!path.startsWith(paths.run), path);
  assert.ok(paths.cloudInitUser("a").startsWith(`${paths.disk("a")}/`));
  // A volume's name is a DNS label; the kernel's folder could be one, so the controller may not give it away.
  assert.equal(paths.kernel, paths.disk("kernel-boot"));
  assert.match(runVolume, /^[a-z-]+$/);
});

test("the launcher is made here, and is not root", () => {
  assert.match(contract.launcherImage, /^kerb\.internal\//);
  assert.ok(contract.qemuUser > 0);
  assert.match(contract.domainAnnotation, /^[a-z.]+\/domain$/);
  assert.deepEqual(contract.runtimeClass, { name: "kerb-vm", handler: "vm" });
  assert.equal(contract.computeContainer, "compute");
});
