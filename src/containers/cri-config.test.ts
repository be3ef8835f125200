import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerConfig, SandboxConfig } from "../node/runtime.ts";
import { containerMessage, sandboxMessage } from "./cri-config.ts";
import { abilitiesOf } from "./runtime-status.ts";

const sandbox = {
  securityContext: {},
  dns: { servers: [], searches: [], options: [] },
} as unknown as SandboxConfig;
const mount = { hostPath: "/a", containerPath: "/b", readOnly: false, propagation: "None" };
const container = {
  env: [],
  mounts: [mount],
  devices: [],
  resources: {},
  securityContext: {},
} as unknown as ContainerConfig;

test("users of a pod's own are told for its namespace, its containers and what they mount", () => {
  const own = { ...sandbox, userNamespace: { hostId: 65_536, length: 65_536 } };
  const range = [{ host_id: 65_536, container_id: 0, length: 65_536 }];
  const namespace = { mode: 0, uids: range, gids: range };
  const { linux } = sandboxMessage(own);
  assert.deepEqual(linux.security_context.namespace_options.userns_options, namespace);
  const made = containerMessage(container, own);
  assert.deepEqual(made["linux"].security_context.namespace_options.userns_options, namespace);
  const [told] = made["mounts"];
  assert.deepEqual([told.uidMappings, told.gidMappings], [range, range]);
});

test("a pod with the machine's users says nothing of users", () => {
  const made = containerMessage(container, sandbox);
  assert.equal((made as any).linux.resources.unified, undefined);
  const asOne = containerMessage(container, sandbox, { canEndAsOne: true }) as any;
  assert.deepEqual(asOne.linux.resources.unified, { "memory.oom.group": "1" });
  assert.equal("userns_options" in made["linux"].security_context.namespace_options, false);
  assert.deepEqual(made["mounts"][0].uidMappings, []);
});

test("what a runtime can do is what it says, and an old one says nothing", () => {
  const handlers = [
    { name: "", features: { recursive_read_only_mounts: true, user_namespaces: true } },
    { name: "wasm" },
  ];
  const told = abilitiesOf({
    features: { supplemental_groups_policy: true },
    runtime_handlers: handlers,
  });
  assert.equal(told.strictGroups, true);
  assert.deepEqual(
    [...told.handlers!],
    [
      ["", { recursiveReadOnlyMounts: true, userNamespaces: true }],
      ["wasm", { recursiveReadOnlyMounts: false, userNamespaces: false }],
    ],
  );
  assert.deepEqual([...abilitiesOf({}).handlers!], []);
});
