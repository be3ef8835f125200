// The life of a machine that joined: it becomes another release and its pods do not notice, also when that release is
// broken; and when it leaves, both sides have what they had before it came.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { run, runToEnd } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { busyboxArchive, importBusybox } from "../support/image.ts";
import { Machine } from "../support/machine.ts";
import { makeRelease } from "../support/release.ts";
import { kerb, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { around, client, greeting, web } from "./manifests.ts";

let site: Site;
let had: Counts;
const machine = new Machine();
const files: string[] = [];

interface Counts {
  links: number;
  routes: string[];
  rules: number;
  namespaces: number;
  mounts: number;
  loops: number;
}

/** On the site's side of the cable. Other sites of this machine are counted by nobody. */
async function counts(): Promise<Counts> {
  const found = (text: string, of: RegExp) => text.split("\n").filter((line) => of.test(line));
  const lines = (text: string, of: RegExp) => found(text, of).length;
  const { slot } = JSON.parse(readFileSync(join(site.directory, "site.json"), "utf8"));
  const ours = new RegExp(`kerb${slot}(x|v|\\b)|10\\.${100 + slot}\\.`);
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  const { stdout: rules } = await runToEnd("nft", ["list", "table", "ip", `kerb${slot}`]);
  return {
    links: lines(await run("ip", ["-o", "address"]), ours),
    routes: found(await run("ip", ["route", "show", "table", "all"]), ours).toSorted(),
    rules: lines(rules, /./),
    namespaces: readdirSync("/run/netns").filter((name) => name === machine.name).length,
    mounts: lines(mounts, new RegExp(machine.directory)),
    loops: lines(await run("losetup", ["-a"]), new RegExp(machine.directory)),
  };
}

before(async () => {
  await machine.start();
  site = await startSite("--name", "first", "--listen", machine.hostAddress);
  await importBusybox(site);
  await site.apply([around, greeting("hello"), client("first")].join("---"));
  await site.kubectl(["rollout", "status", "deployment/client-first", "--timeout=120s"]);
  // The kernel's own routes to a new link come when it has seen that nobody else has the link's address.
  const settled = async () =>
    !(await run("ip", ["-6", "-o", "address", "show", "tentative"])).trim();
  await eventually(settled, "addresses of links");
  had = { ...(await counts()), namespaces: 0 };
  await machine.join(...(await site.joinWords()), "--name", "second");
  const archive = join(site.directory, "busybox.tar");
  writeFileSync(archive, busyboxArchive());
  await machine.kerb("image", "import", archive);
  await site.apply([web(4), client("second")].join("---"));
  for (const name of ["web", "client-second"]) {
    await site.kubectl(["rollout", "status", `deployment/${name}`, "--timeout=120s"]);
  }
});
after(async () => {
  await machine.remove().catch(() => {});
  await site.remove();
  for (const file of files) rmSync(dirname(file), { recursive: true });
});

const there = async () =>
  (await site.get("pods", "-l", "app in (web, client)")).items
    .map(({ metadata, spec, status }: any) => {
      const [{ containerID, restartCount }] = status.containerStatuses;
      return [metadata.name, spec.nodeName, containerID, restartCount, status.podIP].join(" ");
    })
    .toSorted();

const answers = async (version: string) => {
  const [{ metadata }] = (await site.get("pods", "-l", "at=second")).items;
  const hostname = await site.kubectl(["exec", metadata.name, "--", "hostname"]);
  const running = machine.said.includes(`Kerb ${version} `);
  return hostname === `${metadata.name}\n` && running;
};

test("a machine that joined becomes another release, and its pods do not notice", async () => {
  const before = await there();
  const file = await makeRelease("9.0.1");
  files.push(file);
  assert.match(await machine.kerb("update", file), /Kerb 9\.0\.1 runs the node/);
  await eventually(() => answers("9.0.1"), "an answer of the new release");
  assert.deepEqual(await there(), before);
});

test("a release that does not start gives way to the one before, and pods do not notice", async () => {
  const before = await there();
  const file = await makeRelease("9.0.2", "ends");
  files.push(file);
  await assert.rejects(
    machine.kerb("update", file),
    /9\.0\.2 ended before it was ready.*runs again/,
  );
  await eventually(() => answers("9.0.1"), "an answer of the release before");
  assert.deepEqual(await there(), before);
  assert.match(readFileSync(join(machine.directory, "kerb.log"), "utf8"), /Kerb 9\.0\.1 /);
});

/** What `kerb authority rotate` says until then, when it is interrupted. */
async function rotationUntil(words: RegExp): Promise<string> {
  const args = ["authority", "rotate", "--rest", "0", "--data-dir", site.directory];
  const rotation = spawn(kerb, args, { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  rotation.stdout.on("data", (text: Buffer) => (said += text.toString()));
  try {
    await eventually(async () => words.test(said), String(words));
  } finally {
    rotation.kill("SIGINT");
  }
  return said;
}

test("the site's authority is replaced when its machine has followed, and not before", async () => {
  const before = await there();
  await machine.plug(false);
  assert.match(await site.kerb("authority", "advance"), /^TrustBoth/);
  await assert.rejects(site.kerb("authority", "advance"), /second: not all machines trust/);
  assert.match(await rotationUntil(/waiting for second, which does not trust/), /^TrustBoth/);
  assert.match(await site.kerb("authority", "status"), /^TrustBoth/);
  await machine.plug(true);
  const advanced = (phase: string) =>
    eventually(async () => (await site.kerb("authority", "advance")).startsWith(phase), phase);
  await advanced("IssueNew");
  const identity = () => readFileSync(join(machine.directory, "pki/node.pem"), "utf8");
  const { authorities } = JSON.parse(await site.kubectl(["get", "--raw", "/kerb/authority"])) as {
    authorities: string[];
  };
  await eventually(async () => {
    const { metadata } = await site.get("node", "second");
    return metadata.annotations["kerb.dev/certificate-authority"] === authorities[0];
  }, "a certificate of the new authority");
  const renewed = identity();
  await machine.plug(false);
  await advanced("Settled");
  await machine.plug(true);
  await eventually(() => answers("9.0.1"), "an answer by the new authority");
  await machine.kerb("down", "--keep-workloads");
  await machine.join();
  await eventually(() => answers("9.0.1"), "an answer of the node that was started again");
  assert.equal(identity(), renewed);
  const known = () => readFileSync(join(machine.directory, "pki/server-ca.pem"), "utf8");
  await eventually(async () => known().split("BEGIN CERT").length === 2, "one authority");
  assert.deepEqual(await there(), before);
});

test("a machine that leaves leaves nothing on either side", async () => {
  const drain = ["drain", "second", "--ignore-daemonsets", "--force", "--timeout=120s"];
  await site.kubectl([...drain, "--disable-eviction"]);
  await site.apply(web(0));
  await site.kubectl(["delete", "deployment", "client-second", "--timeout=120s"]);
  await machine.kerb("down");
  await site.kubectl(["delete", "node", "second"]);
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  assert.ok(!mounts.includes(machine.directory), "mounts of the machine");
  assert.equal(await machine.run("nft", "list", "ruleset"), "");
  const links = (await machine.run("ip", "-brief", "link")).trim().split("\n");
  assert.deepEqual(
    links.map((line) => line.split(/[ @]/)[0]),
    ["lo", "eth0"],
  );
  await machine.remove();
  await eventually(async () => {
    assert.deepEqual(await counts(), had);
    return true;
  }, "the counts of before").catch(async () => assert.deepEqual(await counts(), had));
});
