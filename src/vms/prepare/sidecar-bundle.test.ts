import assert from "node:assert/strict";
import { test } from "node:test";
import { withLateMemory } from "./bundle.ts";
import { shareSeccomp } from "./sidecar-bundle.ts";

test("what shares files may make a namespace of its own and nothing else of the kind", () => {
  const allowed = { names: ["read", "setgroups"], action: "SCMP_ACT_ALLOW" };
  const { defaultAction, syscalls } = shareSeccomp({
    defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [allowed, { names: ["setgroups"], action: "SCMP_ACT_ALLOW" }],
  });
  assert.equal(defaultAction, "SCMP_ACT_ERRNO");
  assert.deepEqual(syscalls, [
    { names: ["read"], action: "SCMP_ACT_ALLOW" },
    { names: ["unshare", "chroot"], action: "SCMP_ACT_ALLOW" },
    { names: ["setgroups"], action: "SCMP_ACT_ERRNO", errnoRet: 0 },
  ]);
});

test("QEMU may ask for the faults of its memory where a guest arrives, and where all may be asked nothing is added", () => {
  const config: any = { process: {}, root: {}, linux: { seccomp: { defaultAction: "NO" } } };
  const rule = { names: ["userfaultfd"], action: "SCMP_ACT_ALLOW" };
  assert.deepEqual(withLateMemory(config).linux?.["seccomp"], {
    ...{ defaultAction: "NO", syscalls: [rule] },
  });
  assert.equal(withLateMemory({ ...config, linux: {} }).linux?.["seccomp"], undefined);
});
