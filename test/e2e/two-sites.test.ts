// Two sites on one machine share nothing but the machine; and a site without root still serves its API.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { run } from "../support/command.ts";
import { importBusybox } from "../support/image.ts";
import { root, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

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
  await site.kubectl(["rollout", "status", "deployment/web", "--timeout=60s"]);
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
