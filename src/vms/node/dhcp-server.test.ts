// A guest's address, from a network namespace as the node finds it while QEMU starts.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import type { ChildProcess } from "node:child_process";
import { Scope } from "../../lib/scope.ts";
import { serveDhcp } from "./dhcp-server.ts";

let holder: ChildProcess;
let namespace: string;
const inside = (...command: string[]) =>
  execFileSync("nsenter", [`--net=${namespace}`, ...command], { encoding: "utf8" });

before(async () => {
  const script = "ip link set lo up && echo up && exec sleep 600";
  holder = spawn("unshare", ["--net", "sh", "-ec", script]);
  await once(holder.stdout!, "data");
  namespace = `/proc/${holder.pid}/ns/net`;
  inside("ip", "tuntap", "add", "dev", "tap0", "mode", "tap");
  inside("ip", "address", "add", "10.0.2.1/24", "dev", "tap0");
  inside("ip", "link", "set", "dev", "tap0", "up");
});
after(() => void holder?.kill("SIGKILL"));

const lease = {
  ...{ device: "tap0", server: "10.0.2.1", address: "10.0.2.2", prefix: 24, router: "10.0.2.1" },
  ...{ mac: "02:00:00:00:00:02", mtu: 1500, dns: [], searches: [], hostname: "till" },
};

test("a guest is answered from before its QEMU has plugged itself in", async () => {
  assert.match(inside("ip", "link", "show", "tap0"), /NO-CARRIER/);
  const scope = new Scope();
  try {
    await serveDhcp(namespace, lease, scope);
    assert.match(inside("cat", "/proc/net/udp"), /:0043 /);
  } finally {
    await scope.close();
  }
});

test("a namespace without the server's address is not the guest's", async () => {
  const scope = new Scope();
  try {
    const other = { ...lease, server: "10.0.3.1" };
    await assert.rejects(serveDhcp(namespace, other, scope), /no address 10\.0\.3\.1 here/);
  } finally {
    await scope.close();
  }
});
