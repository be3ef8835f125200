// What pods use is told, and an autoscaler follows it, on a site with nothing added.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import type { Site } from "../support/site.ts";
import { startSite } from "../support/site.ts";
import { importModule } from "../support/wasm-module.ts";

let site: Site;

before(async () => {
  site = await startSite("--name", "autoscaling");
  await importBusybox(site);
  await importModule(site, "test/wasm/probe.c", "probe:1");
  await site.apply(spinning);
});
after(() => site.remove());

/** A module that computes, and one whose Deployment sleeps. */
const spinning = ["spin", "nap"]
  .map(
    (name) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${name === "nap" ? 0 : 1}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      runtimeClassName: wasm
      terminationGracePeriodSeconds: 0
      containers:
      - {name: main, image: "probe:1", args: [spin], resources: {requests: {cpu: 50m}}}
---`,
  )
  .join("");

const burner = ["--", "sh", "-c", "while true; do :; done"];

test("top tells what the node and its pods use", async () => {
  const create = ["create", "deployment", "burn", "--image=busybox:kerb"];
  await site.kubectl([...create, ...burner]);
  await site.kubectl(["set", "resources", "deploy/burn", "--requests=cpu=50m"]);
  await site.kubectl(["rollout", "status", "deploy/burn", "--timeout=120s"]);
  const node = /autoscaling +\d+m +\d+% +\d+Mi +\d+%/;
  await eventually(async () => node.test(await site.kubectl(["top", "nodes"])), "the node's use");
  for (const line of [/burn-\S+ +busybox +\d\d+m/, /spin-\S+ +main +\d\d+m +\d+Mi/]) {
    await eventually(async () => line.test(await top()), String(line));
  }
});

const top = () => site.kubectl(["top", "pods", "--containers"]);

test("an autoscaler adds pods while they are busy, be they modules, and its target is shown", async () => {
  for (const name of ["burn", "spin", "nap"]) {
    await site.kubectl(["autoscale", "deploy", name, "--cpu=50%", "--min=1", "--max=2"]);
  }
  for (const name of ["burn", "spin"]) {
    const scaled = ["wait", `hpa/${name}`, "--for=jsonpath={.status.desiredReplicas}=2"];
    await site.kubectl([...scaled, "--timeout=120s"]);
    await site.kubectl(["rollout", "status", `deploy/${name}`, "--timeout=120s"]);
  }
  const target = /Deployment\/burn +cpu: \d+%\/50%/;
  await eventually(async () => target.test(await site.kubectl(["get", "hpa", "burn"])), "its use");
  const why = /New size: 2; reason: cpu resource utilization .* above target/;
  await eventually(async () => why.test(await site.kubectl(["get", "events"])), "the reason");
});

test("an autoscaler leaves alone what sleeps", async () => {
  await eventually(async () => {
    const { conditions = [] } = (await site.get("hpa", "nap")).status;
    return conditions.some(({ reason }: { reason: string }) => reason === "ScalingDisabled");
  }, "that it rests");
  assert.equal((await site.get("deployment", "nap")).spec.replicas, 0);
  await site.kubectl(["delete", "deploy/burn", "deploy/spin", "--grace-period=0", "--force"]);
});
