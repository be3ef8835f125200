import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ContainerConfig } from "../runtime.ts";
import { withCdiDevices } from "./cdi.ts";

let root: string;
let folders: string[];
before(async () => {
  root = await mkdtemp(join(tmpdir(), "cdi-"));
  folders = [join(root, "etc"), join(root, "run")];
  for (const folder of folders) await mkdir(folder);
  const vendor = (path: string, more: object = {}) => ({
    cdiVersion: "0.6.0",
    kind: "vendor.com/gpu",
    containerEdits: {
      env: ["DRIVER=vendor"],
      mounts: [{ hostPath: "/opt/lib", containerPath: "/lib/gpu", options: ["ro", "bind"] }],
    },
    devices: [{ name: "0", containerEdits: { deviceNodes: [{ path }], ...more } }],
  });
  await writeFile(join(folders[0]!, "gpu.json"), JSON.stringify(vendor("/dev/old")));
  await writeFile(join(folders[1]!, "gpu.json"), JSON.stringify(vendor("/dev/gpu0")));
  await writeFile(join(folders[1]!, "half.yaml"), "kind: [");
  await writeFile(
    join(folders[0]!, "nic.yaml"),
    "kind: vendor.com/nic\ndevices:\n- name: eth\n  containerEdits:\n    hooks:\n    - hookName: createContainer\n",
  );
});
after(() => rm(root, { recursive: true }));

const empty = { env: [{ name: "DRIVER", value: "none" }], mounts: [], devices: [] };
const resolve = (...names: string[]) =>
  withCdiDevices(empty as unknown as ContainerConfig, names, folders);

test("a device's files say what its container gets, the later folder's first", async () => {
  assert.deepEqual(await resolve("vendor.com/gpu=0", "vendor.com/gpu=0"), {
    env: [{ name: "DRIVER", value: "vendor" }],
    mounts: [
      { hostPath: "/opt/lib", containerPath: "/lib/gpu", readOnly: true, propagation: "None" },
    ],
    devices: [{ containerPath: "/dev/gpu0", hostPath: "/dev/gpu0", permissions: "rwm" }],
  });
});

test("a device that nobody describes, or that needs what is not given, is refused by name", async () => {
  await assert.rejects(
    resolve("vendor.com/gpu=1"),
    /unresolvable CDI devices vendor.com\/gpu=1 \(.*half.yaml: /,
  );
  await assert.rejects(resolve("vendor.com/nic=eth"), /nic=eth asks for hooks/);
});
