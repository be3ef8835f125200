import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodShape } from "./pod.ts";
import { findings, labelErrors, standardOf, told } from "./standards.ts";

const safe = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
};

/** A pod that keeps every rule, with its spec and its container `c` changed. */
const pod = (spec: object = {}, container: object = {}, context: object = {}): PodShape => ({
  annotations: {},
  spec: {
    containers: [{ name: "c", image: "i", securityContext: { ...safe, ...context }, ...container }],
    ...spec,
  },
});

const judge = (level: "baseline" | "restricted", shape: PodShape, version = "latest") =>
  told(findings({ level, version }, shape));

test("a pod that gives up its rights keeps every standard, a plain one only the baseline", () => {
  assert.equal(judge("restricted", pod()), "");
  const plain: PodShape = { annotations: {}, spec: { containers: [{ name: "c" }] } };
  assert.equal(judge("baseline", plain), "");
  assert.equal(
    judge("restricted", plain),
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), ' +
      'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), ' +
      'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), ' +
      'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
});

const bad = (name: string, context: object) => ({ name, securityContext: { ...safe, ...context } });

const baseline: [shape: PodShape, told: string][] = [
  [pod({ hostNetwork: true, hostIPC: true }), "host namespaces (hostNetwork=true, hostIPC=true)"],
  [
    pod({ initContainers: [bad("i", { privileged: true })] }, {}, { privileged: true }),
    'privileged (containers "i", "c" must not set securityContext.privileged=true)',
  ],
  [
    pod({}, {}, { capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "CHOWN"] } }),
    'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
  ],
  [
    pod({
      volumes: [
        { name: "v", hostPath: { path: "/" } },
        { name: "w", emptyDir: {} },
      ],
    }),
    'hostPath volumes (volume "v")',
  ],
  [
    pod({}, { ports: [{ hostPort: 81 }, { hostPort: 80 }, { containerPort: 1 }] }),
    'hostPort (container "c" uses hostPorts 80, 81)',
  ],
  [
    pod({}, { livenessProbe: { httpGet: { host: "10.0.0.1", port: 80 } } }),
    'probe or lifecycle host (container "c" must not set host in probes or lifecycle hooks)',
  ],
  [
    { ...pod(), annotations: { "container.apparmor.security.beta.kubernetes.io/c": "unconfined" } },
    'forbidden AppArmor profile (annotation "container.apparmor.security.beta.kubernetes.io/c=unconfined")',
  ],
  [
    pod({ securityContext: { appArmorProfile: { type: "Unconfined" } } }),
    'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
  ],
  [
    pod({}, {}, { seLinuxOptions: { type: "spc_t", role: "r" } }),
    'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; role may not be set)',
  ],
  [
    pod({}, {}, { procMount: "Unmasked" }),
    'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    pod({}, {}, { seccompProfile: { type: "Unconfined" } }),
    'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [
    pod({
      securityContext: { sysctls: [{ name: "kernel.msgmax" }, { name: "net.ipv4.tcp_rmem" }] },
    }),
    "forbidden sysctls (kernel.msgmax)",
  ],
  [
    pod({ securityContext: { windowsOptions: { hostProcess: true } } }),
    "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
  ],
];

for (const [shape, wanted] of baseline) {
  test(`the baseline finds ${wanted.split(" (")[0]}`, () => {
    assert.equal(judge("baseline", shape), wanted);
  });
}

const restricted: [shape: PodShape, told: string][] = [
  [
    pod({
      volumes: [
        { name: "v", hostPath: { path: "/" } },
        { name: "w", nfs: {} },
      ],
    }),
    'restricted volume types (volumes "v", "w" use restricted volume types "hostPath", "nfs")',
  ],
  [
    pod({}, {}, { capabilities: { add: ["NET_ADMIN", "NET_BIND_SERVICE"] } }),
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]; ' +
      'container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
  ],
  [
    pod({ securityContext: { runAsNonRoot: true } }, {}, { runAsNonRoot: false }),
    'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)',
  ],
  [
    pod({ securityContext: { runAsUser: 0 } }, {}, { runAsUser: 0 }),
    'runAsUser=0 (pod must not set runAsUser=0, container "c" must not set runAsUser=0)',
  ],
];

for (const [shape, wanted] of restricted) {
  test(`restricted finds ${wanted.split(" (")[0]}`, () => {
    assert.equal(judge("restricted", shape), wanted);
  });
}

test("what the pod says holds for containers that say nothing", () => {
  const { runAsNonRoot: _, seccompProfile: __, ...rest } = safe;
  const containers = [{ name: "c", securityContext: rest }];
  const securityContext = { runAsNonRoot: true, seccompProfile: { type: "Localhost" } };
  assert.equal(judge("restricted", pod({ containers, securityContext })), "");
});

test("an older version knows fewer harmless things and fewer rules", () => {
  const rmem = pod({ securityContext: { sysctls: [{ name: "net.ipv4.tcp_rmem" }] } });
  assert.equal(judge("baseline", rmem, "v1.32"), "");
  assert.equal(judge("baseline", rmem, "v1.31"), "forbidden sysctls (net.ipv4.tcp_rmem)");
  const host = pod({}, { livenessProbe: { tcpSocket: { host: "a" } } });
  assert.equal(judge("baseline", host, "v1.33"), "");
});

test("labels choose level and version; what cannot be read is an error and counts as the strictest", () => {
  const of = (mode: string, level: string) => ({ [`pod-security.kubernetes.io/${mode}`]: level });
  assert.deepEqual(standardOf({}, "enforce"), { level: "privileged", version: "latest" });
  const labels = { ...of("warn", "baseline"), ...of("warn-version", "v1.30") };
  assert.deepEqual(standardOf(labels, "warn"), { level: "baseline", version: "v1.30" });
  assert.deepEqual(labelErrors(labels), []);
  const wrong = { ...of("enforce", "strict"), ...of("audit-version", "1.30") };
  assert.equal(standardOf(wrong, "enforce").level, "restricted");
  assert.deepEqual(
    labelErrors(wrong).map(({ value }) => value),
    ["strict", "1.30"],
  );
});
