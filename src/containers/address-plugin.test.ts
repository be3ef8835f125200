import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { addressPlugin, withAddresses, writeNetworkPlugins } from "./address-plugin.ts";

/** Stands for host-local: says what it was asked for, and has not got one address. */
const hostLocal = `#!/bin/sh
settings=$(cat)
case $settings in
  *10.0.0.9*) echo '{"code": 11}'; exit 1 ;;
esac
echo "$CNI_COMMAND $settings"
`;

async function asked(command: string, addresses: string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), "kerb-addresses-"));
  const plugins = join(folder, "plugins");
  mkdirSync(plugins);
  for (const name of ["host-local", "ptp"]) {
    writeFileSync(join(plugins, name), hostLocal);
    chmodSync(join(plugins, name), 0o700);
  }
  const made = writeNetworkPlugins(join(folder, "with a space"), plugins);
  const env = { CNI_COMMAND: command, CNI_ARGS: "IgnoreUnknown=1;K8S_POD_UID=u-1;K8S_POD_NAME=a" };
  const wish = { podUid: "u-1", addresses };
  try {
    const text = await withAddresses(join(folder, "with a space"), wish, async () =>
      execFileSync(join(made, addressPlugin), { input: '{"name":"kerb0"}', env, encoding: "utf8" }),
    );
    assert.deepEqual(readdirSync(join(folder, "with a space/addresses")), []);
    return text.trim();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a pod that had addresses asks for them, and another pod for any", async () => {
  assert.equal(
    await asked("ADD", ["10.0.0.7", "fd00::7"]),
    'ADD {"args":{"cni":{"ips":["10.0.0.7","fd00::7"]}},"name":"kerb0"}',
  );
  assert.equal(await asked("ADD"), 'ADD {"name":"kerb0"}');
});

test("an address that is taken is not insisted on", async () => {
  assert.equal(await asked("ADD", ["10.0.0.9"]), 'ADD {"name":"kerb0"}');
});

test("giving back is not asking", async () => {
  assert.equal(await asked("DEL", ["10.0.0.7"]), 'DEL {"name":"kerb0"}');
});
