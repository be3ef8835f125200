import assert from "node:assert/strict";
import { test } from "node:test";
import { inDetail, violationsOf } from "./standard.ts";

const container = (rest: object = {}) => ({ name: "main", image: "busybox", ...rest });

const hardened = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
};

const pod = (securityContext: object = {}, rest: object = {}, more: object = {}) => ({
  spec: { containers: [container({ securityContext, ...more })], ...rest },
});

const who = 'container "main"';

/** Pods that keep to all of restricted but for one thing, and what is said of them. */
const baseline: [object, string][] = [
  [pod({ privileged: true }), `privileged (${who} must not set securityContext.privileged=true)`],
  [
    pod({}, { hostNetwork: true, hostPID: true }),
    "host namespaces (hostNetwork=true, hostPID=true)",
  ],
  [
    pod({ capabilities: { add: ["NET_RAW", "CHOWN"] } }),
    `non-default capabilities (${who} must not include "NET_RAW" in securityContext.capabilities.add)`,
  ],
  [
    pod({}, { volumes: [{ name: "root", hostPath: { path: "/" } }] }),
    'hostPath volumes (volume "root")',
  ],
  [
    pod({}, {}, { ports: [{ containerPort: 80, hostPort: 8080 }] }),
    `hostPort (${who} uses hostPort 8080)`,
  ],
  [
    pod({}, {}, { livenessProbe: { httpGet: { host: "10.0.0.1", port: 80 } } }),
    `probe or lifecycle host (${who} uses probe or lifecycle host "10.0.0.1")`,
  ],
  [
    pod({ procMount: "Unmasked" }),
    `procMount (${who} must not set securityContext.procMount to "Unmasked")`,
  ],
  [
    pod({ seLinuxOptions: { type: "spc_t", user: "system_u" } }),
    `seLinuxOptions (${who} set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)`,
  ],
  [
    pod({}, { securityContext: { seccompProfile: { type: "Unconfined" } } }),
    'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [
    pod({}, { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } }),
    "forbidden sysctls (kernel.msgmax)",
  ],
  [
    pod({ appArmorProfile: { type: "Unconfined" } }),
    `forbidden AppArmor profile (${who} must not set AppArmor profile type to "Unconfined")`,
  ],
  [
    pod({ windowsOptions: { hostProcess: true } }),
    `hostProcess (${who} must not set securityContext.windowsOptions.hostProcess=true)`,
  ],
];

test("baseline refuses every way out of a container that it names, in upstream's words", () => {
  for (const [bad, said] of baseline) {
    assert.equal(inDetail(violationsOf(bad as any, "baseline", Infinity)), said);
    assert.deepEqual(violationsOf(bad as any, "privileged", Infinity), []);
  }
  assert.deepEqual(violationsOf(pod(), "baseline", Infinity), []);
});

test("restricted wants what is safe said aloud", () => {
  const said = violationsOf(pod(), "restricted", Infinity).map(({ reason }) => reason);
  assert.deepEqual(said, [
    "allowPrivilegeEscalation != false",
    "unrestricted capabilities",
    "runAsNonRoot != true",
    "seccompProfile",
  ]);
  assert.deepEqual(violationsOf(pod(hardened), "restricted", Infinity), []);
});

const restricted: [object, string][] = [
  [pod({ ...hardened, runAsUser: 0 }), `runAsUser=0 (${who} must not set runAsUser=0)`],
  [
    pod(hardened, { volumes: [{ name: "share", nfs: { server: "a", path: "/" } }] }),
    'restricted volume types (volume "share" uses restricted volume type "nfs")',
  ],
  [
    pod({ ...hardened, capabilities: { drop: ["ALL"], add: ["CHOWN"] } }),
    `unrestricted capabilities (${who} must not include "CHOWN" in securityContext.capabilities.add)`,
  ],
  [
    pod({ ...hardened, runAsNonRoot: false }),
    `runAsNonRoot != true (${who} must not set securityContext.runAsNonRoot=false)`,
  ],
];

test("restricted refuses root, odd volumes and every capability but one", () => {
  for (const [bad, said] of restricted) {
    assert.equal(inDetail(violationsOf(bad as any, "restricted", Infinity)), said);
    assert.deepEqual(violationsOf(bad as any, "baseline", Infinity), []);
  }
});

test("a namespace may hold its pods to the standard of an older version", () => {
  const count = (bad: object, level: "baseline" | "restricted", minor: number) =>
    violationsOf(bad as any, level, minor).length;
  const engine = pod({ seLinuxOptions: { type: "container_engine_t" } });
  assert.deepEqual([count(engine, "baseline", 30), count(engine, "baseline", 31)], [1, 0]);
  const keepalive = pod({}, { securityContext: { sysctls: [{ name: "net.ipv4.tcp_rmem" }] } });
  assert.deepEqual([count(keepalive, "baseline", 31), count(keepalive, "baseline", 32)], [1, 0]);
  const probe = pod({}, {}, { livenessProbe: { tcpSocket: { host: "10.0.0.1" } } });
  assert.deepEqual([count(probe, "baseline", 33), count(probe, "baseline", 34)], [0, 1]);
  const windows = pod({ runAsNonRoot: true }, { os: { name: "windows" } });
  assert.deepEqual([count(windows, "restricted", 24), count(windows, "restricted", 25)], [3, 0]);
  const annotated = {
    ...pod(),
    metadata: { annotations: { "seccomp.security.alpha.kubernetes.io/pod": "unconfined" } },
  };
  assert.deepEqual([count(annotated, "baseline", 18), count(annotated, "baseline", 19)], [1, 0]);
});

test("root in a user namespace of its own is nobody outside", () => {
  const root = pod({ ...hardened, runAsNonRoot: false, runAsUser: 0 }, { hostUsers: false });
  assert.deepEqual(violationsOf(root, "restricted", 35), []);
  assert.equal(violationsOf(root, "restricted", 34).length, 2);
  const unmasked = pod({ ...hardened, procMount: "Unmasked" }, { hostUsers: false });
  assert.deepEqual(violationsOf(unmasked, "baseline", 35), []);
  assert.equal(violationsOf(unmasked, "restricted", 35).length, 1);
});
