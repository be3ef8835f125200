// helm 4 installs, upgrades, rolls back and uninstalls a chart, waiting for it each time.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { importBusybox } from "../support/image.ts";
import { root, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

const chart = join(root, "examples/chart");
let site: Site;

before(async () => {
  site = await startSite("--name", "helm");
  await importBusybox(site);
});
after(() => site.remove());

const replicas = async () => (await site.get("deployment", "shop-web")).status.readyReplicas;

test("a release goes through its whole life with --wait", async () => {
  const wait = ["--wait", "--timeout", "60s"];
  await site.helm(["install", "shop", chart, ...wait]);
  assert.equal(await replicas(), 1);
  await site.helm(["upgrade", "shop", chart, "--set", "replicas=2", ...wait]);
  assert.equal(await replicas(), 2);
  await site.helm(["rollback", "shop", "1", ...wait]);
  assert.equal(await replicas(), 1);
  assert.match(await site.helm(["history", "shop"]), /Rollback to 1/);
  await site.helm(["uninstall", "shop", ...wait]);
  assert.equal((await site.get("deployments")).items.length, 0);
});
