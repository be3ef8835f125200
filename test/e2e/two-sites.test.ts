// Two sites on one machine share nothing but the machine; and a site without root still serves its API.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { run, runToEnd } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { freePort, root, Site, startSite } from "../support/site.ts";

const sites: Site[] = [];
after(async () => {
  for (const site of sites) await site.remove();
});

async function serving(name: string): Promise<{ site: Site; ip: string }> {
  const site = await startSite("--name", name);
  sites.push(site);
  await importBusybox(site);
  const manifest = readFileSync(join(root, "examples/web.yaml"), "utf8");
  await site.apply(manifest.replace("hello from the edge", `hello from ${name}`));
  await site.kubectl(["rollout", "status", "deployment/web", "--timeout=120s"]);
  const ip = await site.kubectl(["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"]);
  return { site, ip };
}

const page = (ip: string) => run("curl", ["-fsS", "--max-time", "5", `http://${ip}/`]);

test("two sites serve side by side, and one goes without the other noticing", async () => {
  const north = await serving("north");
  const south = await serving("south");
  assert.notEqual(north.ip, south.ip);
  assert.match(await page(north.ip), /hello from north/);
  assert.match(await page(south.ip), /hello from south/);
  await north.site.down();
  assert.match(await page(south.ip), /hello from south/);
  assert.match(await south.site.kerb("status"), /3 Running/);
});

/** What a site has of the machine beside its files. */
async function leftOf({ directory }: Site) {
  const { slot } = JSON.parse(readFileSync(join(directory, "site.json"), "utf8"));
  const said = async (command: string, ...args: string[]) => (await runToEnd(command, args)).stdout;
  const all = [
    await said("ps", "-eo", "args"),
    readFileSync("/proc/self/mounts", "utf8"),
    await said("ip", "-o", "link"),
    await said("nft", "list", "tables"),
  ];
  const own = new RegExp(`${directory}|\\bkerb${slot}\\b`);
  return all.flatMap((text) => text.split("\n")).filter((line) => own.test(line));
}

/** Its process ends a moment after it has said why. */
const untilNothingIsLeft = (site: Site) =>
  eventually(async () => {
    assert.deepEqual(await leftOf(site), []);
    return true;
  }, "the end of all it had");

test("a site whose port is taken says so, leaves nothing of what it started, and starts at another", async () => {
  const { port } = sites.at(-1)!;
  const late = new Site(mkdtempSync(join(tmpdir(), "kerb-late-")), port);
  sites.push(late);
  await assert.rejects(late.up("--name", "late"), /already in use by another program/);
  await untilNothingIsLeft(late);
  const other = new Site(late.directory, await freePort());
  await other.up();
  assert.notDeepEqual(await leftOf(other), []);
  await other.down();
  await untilNothingIsLeft(other);
});
