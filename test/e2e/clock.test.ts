// Clocks that are wrong, and certificates that run out in the dark: the site runs under a clock of the test's own.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "../support/machine.ts";
import { kerb, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
const machine = new Machine();

/** Starts the site again at another time. */
async function upAt(time: string) {
  await site.down("--keep-workloads");
  const where = ["--data-dir", site.directory, "--port", String(site.port)];
  const args = ["up", "--detach", ...where, "--name", "first", "--listen", machine.hostAddress];
  await run("faketime", [time, kerb, ...args]);
}

const endOf = (directory: string) => {
  const pair = readFileSync(join(directory, "pki/node.pem"), "utf8");
  return Date.parse(new X509Certificate(pair.slice(pair.indexOf("-----BEGIN CERT"))).validTo);
};

const isReady = async (name: string) => {
  const table = await site.kubectl(["get", "nodes"]);
  return new RegExp(`^${name} +Ready `, "m").test(table);
};

before(async () => {
  await machine.start();
  site = await startSite("--name", "first", "--listen", machine.hostAddress);
  await machine.join(...(await site.joinWords()), "--name", "second");
});
after(async () => {
  await machine.remove();
  await site.remove();
});

test("a node whose certificate ran out while it was away comes back, and nobody had to help", async () => {
  const before = endOf(machine.directory);
  await machine.kill();
  await upAt("2028-06-01");
  await machine.join();
  await eventually(() => isReady("second"), "the node");
  await eventually(async () => endOf(machine.directory) > before, "another certificate");
  const requests = await site.kubectl(["get", "csr"]);
  assert.match(requests, /returning:system:node:second.*Approved,Issued/);
});

test("a clock in 2100 and one in 1970 stop nobody, and what they wrote hurts nobody after", async () => {
  for (const time of ["2100-01-01", "1970-01-02"]) {
    await upAt(time);
    await eventually(() => isReady("first"), `the site in ${time}`);
    await eventually(async () => {
      const { status } = await site.get("node", "first");
      const clock = status.conditions.find((one: any) => one.type === "ClockInDoubt");
      return clock.status === "True";
    }, `the doubt about ${time}`);
  }
  await site.down("--keep-workloads");
  await site.up("--name", "first", "--listen", machine.hostAddress);
  for (const name of ["first", "second"]) await eventually(() => isReady(name), name);
});
