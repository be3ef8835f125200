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
  const wait = ["--wait", "--timeout", "120s"];
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

const hooks = join(root, "test/e2e/charts/hooks");
const succeeded = async (job: string) => (await site.get("job", job)).status.succeeded;

test("hooks run before and after, tests run when asked, and a hook that fails fails the upgrade", async () => {
  const wait = ["--wait", "--timeout", "120s"];
  await site.helm(["install", "hooked", hooks, ...wait]);
  assert.equal(await succeeded("hooked-prepare"), 1);
  const { uid } = (await site.get("job", "hooked-prepare")).metadata;
  await site.helm(["upgrade", "hooked", hooks, ...wait]);
  assert.equal(await succeeded("hooked-announce-2"), 1);
  assert.notEqual((await site.get("job", "hooked-prepare")).metadata.uid, uid);
  assert.match(await site.helm(["test", "hooked", "--timeout", "120s"]), /Phase:\s+Succeeded/);
  await assert.rejects(
    site.helm(["upgrade", "hooked", hooks, "--set-string", "migrate=false", ...wait]),
    /pre-upgrade hooks failed/,
  );
  const { data } = await site.get("configmap", "hooked-settings");
  assert.equal(data.revision, "2");
  await site.helm(["uninstall", "hooked", ...wait]);
  assert.equal(
    (await site.get("configmaps", "-l", "app.kubernetes.io/managed-by=Helm")).items.length,
    0,
  );
});
