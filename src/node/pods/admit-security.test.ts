import assert from "node:assert/strict";
import { test } from "node:test";
import { securityRefusal, sysctlName } from "./admit-security.ts";
import type { Pod } from "./pod.ts";

const none = { allowedUnsafeSysctls: [], appArmor: false, strictGroups: false };
const pod = (securityContext: object, spec: object = {}) =>
  ({
    metadata: { name: "p", uid: "u" },
    spec: { securityContext, containers: [{ name: "web", image: "web:1" }], ...spec },
  }) as unknown as Pod;
const sysctls = (...names: string[]) => ({ sysctls: names.map((name) => ({ name, value: "1" })) });

test("sysctls of the pod's own namespaces are set, others only where the node allows them", () => {
  assert.equal(securityRefusal(pod(sysctls("net.ipv4.tcp_syncookies")), none), undefined);
  assert.deepEqual(securityRefusal(pod(sysctls("kernel.msgmax")), none), {
    reason: "SysctlForbidden",
    message: 'forbidden sysctl: "kernel.msgmax" not allowlisted',
  });
  const allowed = { ...none, allowedUnsafeSysctls: ["kernel.msg*"] };
  assert.equal(securityRefusal(pod(sysctls("kernel.msgmax")), allowed), undefined);
});

test("a pod in the host's network sets none of the host's sysctls", () => {
  const refusal = securityRefusal(
    pod(sysctls("net.ipv4.tcp_syncookies"), { hostNetwork: true }),
    none,
  );
  assert.match(refusal!.message, /not allowed with host net enabled/);
});

test("slashes and dots of a sysctl's name change places when a slash comes first", () => {
  assert.equal(sysctlName("net/ipv4/conf/eth0.1/x"), "net.ipv4.conf.eth0/1.x");
  assert.equal(sysctlName("net.ipv4.x"), "net.ipv4.x");
});

test("AppArmor and strict groups are refused by name where they are not there", () => {
  const confined = pod({ appArmorProfile: { type: "RuntimeDefault" } });
  assert.equal(securityRefusal(confined, none)?.reason, "AppArmor");
  assert.equal(securityRefusal(confined, { ...none, appArmor: true }), undefined);
  assert.equal(securityRefusal(pod({ appArmorProfile: { type: "Unconfined" } }), none), undefined);
  const strict = pod({ supplementalGroupsPolicy: "Strict" });
  assert.match(securityRefusal(strict, none)!.message, /SupplementalGroupsPolicy=Strict/);
});
