import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeRow, summarizePods } from "./status.ts";
import { parseAdvertised, parseWings } from "./run.ts";
import { examples } from "./examples.ts";
import { parseServer } from "./join.ts";
import { formatBytes, formatTable } from "./table.ts";
import { parsePort, parseSiteName } from "./up.ts";

test("a port is a whole number in range", () => {
  assert.equal(parsePort("6443"), 6443);
  for (const bad of ["0", "65536", "x", "1.5", ""]) assert.throws(() => parsePort(bad), bad);
});

test("a site's name is a DNS label", () => {
  assert.equal(parseSiteName("shop-7"), "shop-7");
  for (const bad of ["", "Shop", "-a", "a-", "a.b", "a".repeat(64)]) {
    assert.throws(() => parseSiteName(bad), bad);
  }
});

test("a site elsewhere is an address that is spoken to by TLS", () => {
  assert.equal(parseServer("https://10.0.0.5:6443"), "https://10.0.0.5:6443");
  for (const bad of ["10.0.0.5", "http://10.0.0.5:6443", ""]) {
    assert.throws(() => parseServer(bad), /kerb token create prints/);
  }
});

test("examples line up, and say what they do where that is not plain", () => {
  const shown = examples({ "kerb up": "in the foreground", "kerb up --detach": "" });
  assert.equal(shown, "\nExamples:\n  kerb up            # in the foreground\n  kerb up --detach");
});

test("tables line up and end without blanks", () => {
  assert.equal(formatTable(["A", "LONG"], [["xyz", "1"]]), "A     LONG\nxyz   1");
});

test("sizes are printed in binary units", () => {
  assert.equal(formatBytes(512), "512 B");
  assert.equal(formatBytes(1536), "1.5 KiB");
});

test("pods are counted by phase", () => {
  const pod = (phase: string) => ({ status: { phase } }) as any;
  assert.equal(
    summarizePods([pod("Running"), pod("Pending"), pod("Running")]),
    "1 Pending, 2 Running",
  );
  assert.equal(summarizePods([]), "none");
});

test("a node that is short of something is told of, and of one that is not Ready why", () => {
  const node = (...conditions: object[]) =>
    nodeRow({ metadata: { name: "a" }, status: { conditions } } as any);
  const ready = { type: "Ready", status: "True", message: "kubelet is posting ready status" };
  const disk = { type: "DiskPressure", status: "False" };
  assert.deepEqual(node(ready, disk), ["a", "Ready", ""]);
  const [, state, why] = node(ready, { ...disk, status: "True" });
  assert.equal(state, "Ready,DiskPressure");
  assert.match(why!, /takes no new pods; kerb doctor/);
  const away = { ...ready, status: "Unknown", message: "it is away" };
  assert.deepEqual(node(away), ["a", "NotReady", "it is away"]);
  assert.deepEqual(node(), ["a", "NotReady", ""]);
});

test("where a cluster reaches this machine is an address, and a port that stays", () => {
  assert.deepEqual(parseAdvertised("10.0.0.5"), { host: "10.0.0.5", port: 7443 });
  assert.deepEqual(parseAdvertised("10.0.0.5:8443"), { host: "10.0.0.5", port: 8443 });
  assert.deepEqual(parseAdvertised("fd00::5"), { host: "fd00::5", port: 7443 });
  assert.deepEqual(parseAdvertised("[fd00::5]:8443"), { host: "fd00::5", port: 8443 });
  for (const bad of ["hub", "10.0.0.5:", "10.0.0.5:0", "10.0.0.5:70000", "hub:8443"]) {
    assert.throws(() => parseAdvertised(bad), bad);
  }
});

test("wings are named, once each, and what is none says why", () => {
  const parse = parseWings(["hub", "member"], { vms: "nobody runs them there" });
  assert.deepEqual(parse("member, hub,member"), ["member", "hub"]);
  assert.throws(() => parse("hub,vms"), /vms is no wing for clusters of others: nobody runs them/);
  assert.throws(() => parse("toString"), /there is no wing toString; there are: hub, member/);
});
