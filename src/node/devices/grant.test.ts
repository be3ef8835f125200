import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerConfig } from "../runtime.ts";
import { withGrants } from "./grant.ts";
import type { DeviceGrant } from "./ledger.ts";

const config = { env: [], mounts: [], devices: [], annotations: {} } as unknown as ContainerConfig;

const card = (n: number, library: string): DeviceGrant => ({
  envs: { [`CARD_${n}`]: "yes", CARD: String(n) },
  mounts: [{ container_path: "/usr/lib/libcard.so.1", host_path: library, read_only: true }],
  devices: ["control", `card${n}`].map((name) => ({
    container_path: `/dev/${name}`,
    host_path: `/dev/${name}`,
    permissions: "rw",
  })),
  annotations: {},
  cdi_devices: [],
});

test("two devices of one maker share their library and their control node", () => {
  const { env, mounts, devices } = withGrants(config, [card(0, "/lib/a"), card(1, "/lib/a")]);
  assert.deepEqual(
    env.map(({ name, value }) => `${name}=${value}`),
    ["CARD_0=yes", "CARD=0", "CARD_1=yes"],
  );
  assert.equal(mounts.length, 1);
  assert.deepEqual(
    devices.map(({ containerPath }) => containerPath),
    ["/dev/control", "/dev/card0", "/dev/card1"],
  );
});

test("two libraries of one path are refused by name", () => {
  assert.throws(
    () => withGrants(config, [card(0, "/lib/a"), card(1, "/lib/b")]),
    /two mounts want \/usr\/lib\/libcard.so.1/,
  );
});
