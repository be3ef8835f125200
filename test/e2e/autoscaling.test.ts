// What pods use is told, and an autoscaler follows it, on a site with nothing added.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { importBusybox } from "../support/image.ts";
import type { Site } from "../support/site.ts";
import { startSite } from "../support/site.ts";

let site: Site;

before(async () => {
  site = await startSite("--name", "autoscaling");
  await importBusybox(site);
});
after(() => site.remove());

const burner = ["--", "sh", "-c", "while true; do :; done"];

test("top tells what the node and its pods use", async () => {
  const create = ["create", "deployment", "burn", "--image=busybox:kerb"];
  await site.kubectl([...create, ...burner]);
  await site.kubectl(["set", "resources", "deploy/burn", "--requests=cpu=50m"]);
  await site.kubectl(["rollout", "status", "deploy/burn", "--timeout=60s"]);
  assert.match(await site.kubectl(["top", "nodes"]), /autoscaling +\d+m +\d+% +\d+Mi +\d+%/);
  await until(async () => /burn-\S+ +busybox +\d\d+m/.test(await top()));
});

const top = async () => (await site.tryKubectl(["top", "pods", "--containers"])).stdout;

/** Asks again until it is so; the test's own time limit is the end of it. */
async function until(isSo: () => Promise<boolean>) {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 500));
}

test("an autoscaler adds pods while they are busy, and its target is shown", async () => {
  await site.kubectl(["autoscale", "deploy", "burn", "--cpu=50%", "--min=1", "--max=2"]);
  const scaled = ["wait", "hpa/burn", "--for=jsonpath={.status.desiredReplicas}=2"];
  await site.kubectl([...scaled, "--timeout=90s"]);
  await site.kubectl(["rollout", "status", "deploy/burn", "--timeout=60s"]);
  assert.match(await site.kubectl(["get", "hpa", "burn"]), /Deployment\/burn +cpu: \d+%\/50%/);
  const events = await site.kubectl(["get", "events"]);
  assert.match(events, /New size: 2; reason: cpu resource utilization .* above target/);
  await site.kubectl(["delete", "deploy/burn", "--grace-period=0", "--force"]);
});
