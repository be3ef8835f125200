import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ContainerConfig, SandboxConfig } from "../../node/runtime.ts";
import { diskPrograms } from "./disk-programs.ts";
import { taskPod } from "./task-pod.ts";
import { taskAnnotation, taskPaths } from "./task.ts";
import type { DiskTask } from "./task.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-disk-programs-"));
after(() => rmSync(folder, { recursive: true }));

const owner: any = {
  apiVersion: "v1",
  kind: "A",
  metadata: { namespace: "a", name: "a", uid: "u" },
};

/** As the node's agent asks for it. */
function sandboxOf(task: Partial<DiskTask>, block = false): SandboxConfig {
  const whole = { kind: "http", bytes: 1, block, key: "k", ...task } as DiskTask;
  const volumes = [{ claim: "disk", block, path: taskPaths.target }];
  const pod: any = taskPod({
    owner,
    name: "importer",
    task: whole,
    volumes,
    keys: "keys",
    ca: "ca",
  });
  return {
    ...{ podUid: "u", namespace: "a", name: "importer", attempt: 0, hostname: "importer" },
    ...{ labels: {}, sysctls: {}, portMappings: [], logDirectory: "", cgroupParent: "" },
    ...{ hostNetwork: false, hostPid: false, hostIpc: false, shareProcessNamespace: false },
    dns: { servers: [], searches: [], options: [] },
    annotations: pod.metadata.annotations,
    securityContext: pod.spec.securityContext,
    handler: "vm",
    containers: pod.spec.containers,
  };
}

test("disks are filled by processes, unless by or from devices, or by who is found by its container", () => {
  for (const kind of ["http", "s3", "image", "upload", "copy", "blank"] as const)
    assert.ok(diskPrograms.suits(sandboxOf({ kind })), kind);
  for (const kind of ["serve", "replica"] as const)
    assert.ok(!diskPrograms.suits(sandboxOf({ kind })), kind);
  assert.ok(!diskPrograms.suits(sandboxOf({}, true)));
});

test("what only looks like such a pod is containerd's", () => {
  const own = sandboxOf({});
  const [container] = own.containers!;
  const others: Partial<SandboxConfig>[] = [
    { annotations: {} },
    { handler: "" },
    { hostNetwork: true },
    { hostPid: true },
    { shareProcessNamespace: true },
    { sysctls: { a: "b" } },
    { userNamespace: { hostId: 1, length: 1 } },
    { containers: [container!, container!] },
    { containers: [] },
    ...["/etc", "/vm", "/vm/../etc"].map((mountPath) => ({
      containers: [{ ...container!, volumeMounts: [{ name: "v", mountPath }] }],
    })),
    { containers: [{ ...container!, volumeDevices: [{ name: "v", devicePath: "/dev/a" }] }] },
  ];
  for (const other of others)
    assert.ok(!diskPrograms.suits({ ...own, ...other }), JSON.stringify(other));
});

test("its process is told the task alone, is shown the pod's volumes, and owns what it writes to", async () => {
  const sandbox = sandboxOf({ url: "http://a/" });
  const places = { target: join(folder, "target"), keys: join(folder, "keys") };
  for (const place of Object.values(places)) mkdirSync(place);
  const mount = (hostPath: string, containerPath: string, readOnly: boolean) =>
    ({ hostPath, containerPath, readOnly, propagation: "None" }) as const;
  const mounts = [
    mount(places.target, taskPaths.target, false),
    mount(places.keys, "/vm/keys", true),
    mount(join(folder, "hosts"), "/etc/hosts", false),
  ];
  const config = { image: "i", mounts } as unknown as ContainerConfig;
  const plan = await diskPrograms.plan(config, sandbox);
  assert.deepEqual(plan.program, { task: sandbox.annotations[taskAnnotation] });
  assert.deepEqual(plan.volumes, [
    { source: places.target, path: taskPaths.target, readOnly: false },
    { source: places.keys, path: "/vm/keys", readOnly: true },
  ]);
  assert.deepEqual([plan.kind.uid, plan.kind.groups, plan.files], [107, [107], []]);
  const owners = Object.values(places).map((place) => statSync(place).uid);
  assert.deepEqual(owners, [107, 0]);
});
