import assert from "node:assert/strict";
import { test } from "node:test";
import { isRecursiveReadOnly, volumeMountStatus } from "./recursive-read-only.ts";

const mount = (recursiveReadOnly?: string, more: object = { readOnly: true }) => ({
  name: "v",
  mountPath: "/v",
  ...(recursiveReadOnly && { recursiveReadOnly }),
  ...more,
});

const cases = [
  { what: "a mount that asks for nothing", mount: mount(), can: true, is: false },
  { what: "a mount that wants it off", mount: mount("Disabled"), can: true, is: false },
  { what: "a mount that must be", mount: mount("Enabled"), can: true, is: true },
  { what: "a mount that may be", mount: mount("IfPossible"), can: true, is: true },
  { what: "a mount that may be, elsewhere", mount: mount("IfPossible"), can: false, is: false },
  {
    what: "a mount that must be, elsewhere",
    mount: mount("Enabled"),
    can: false,
    is: /not supported by the runtime/,
  },
  { what: "a mount that is written", mount: mount("Enabled", {}), can: true, is: /not read-only/ },
  {
    what: "a mount that shows later mounts",
    mount: mount("Enabled", { readOnly: true, mountPropagation: "HostToContainer" }),
    can: true,
    is: /its mount propagation is HostToContainer/,
  },
];

for (const { what, mount: given, can, is } of cases) {
  test(`${what} ${is instanceof RegExp ? "is refused" : is ? "is" : "is not"} read-only all the way down`, () => {
    if (is instanceof RegExp) assert.throws(() => isRecursiveReadOnly(given, can), is);
    else assert.equal(isRecursiveReadOnly(given, can), is);
  });
}

test("a container's status says of its read-only mounts how far they are", () => {
  const shown = (one: ReturnType<typeof mount>, can: boolean) => volumeMountStatus(one, can);
  const at = { name: "v", mountPath: "/v" };
  assert.deepEqual(shown(mount(undefined, {}), true), at);
  const readOnly = { ...at, readOnly: true };
  assert.deepEqual(shown(mount(), true), { ...readOnly, recursiveReadOnly: "Disabled" });
  assert.deepEqual(shown(mount("IfPossible"), true), { ...readOnly, recursiveReadOnly: "Enabled" });
  assert.deepEqual(shown(mount("Enabled"), false), { ...readOnly, recursiveReadOnly: "Disabled" });
});
