// The five-minute walk of the README, as a person would do it with an unmodified kubectl: a site, an
// imported image, a Deployment behind a Service, and the commands of every day.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { run, runToEnd } from "../support/command.ts";
import { importBusybox } from "../support/image.ts";
import { kerb, root, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const web = readFileSync(join(root, "examples/web.yaml"), "utf8");
let site: Site;

before(async () => {
  site = await startSite("--name", "walk");
  await importBusybox(site);
});
after(() => site.remove());

test("the node is Ready", async () => {
  assert.match(await site.kubectl(["get", "nodes"]), /^walk\s+Ready\s/m);
});

test("a Deployment with ConfigMap, Secret and Service serves through its ClusterIP", async () => {
  await site.apply(web);
  const rollout = await site.kubectl(["rollout", "status", "deployment/web", "--timeout=120s"]);
  assert.match(rollout, /successfully rolled out/);
  const ip = await site.kubectl(["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"]);
  const page = await run("curl", ["-fsS", "--max-time", "5", `http://${ip}/`]);
  assert.match(page, /hello from the edge/);
});

test("a pod reaches the Service by name", async () => {
  const pod = ["run", "asker", "--rm", "-i", "--restart=Never", "--image=busybox:kerb", "--"];
  // It waits for the end of its input, so kubectl is attached before it says anything.
  const script = "cat > /dev/null; wget -qO- http://web";
  const page = await site.kubectl([...pod, "sh", "-c", script], { input: "go" });
  assert.match(page, /hello from the edge/);
});

test("the Service and its pods are reached through the API server's proxy", async () => {
  const root = "/api/v1/namespaces/default";
  const pod = await site.kubectl([
    "get",
    "pod",
    "-l",
    "app=web",
    "-o",
    "jsonpath={.items[0].metadata.name}",
  ]);
  for (const path of [`${root}/services/web:80/proxy/`, `${root}/pods/${pod}:8080/proxy/`]) {
    assert.match(await site.kubectl(["get", "--raw", path]), /hello from the edge/);
  }
});

test("exec runs in the container, and its exit code comes back", async () => {
  const secret = await site.kubectl(["exec", "deploy/web", "--", "sh", "-c", "echo $PASSWORD"]);
  assert.equal(secret.trim(), "s3cret");
  const failed = await site.tryKubectl(["exec", "deploy/web", "--", "sh", "-c", "exit 7"]);
  assert.equal(failed.code, 7);
});

test("exec -i carries input, and a terminal has a size", async () => {
  const echo = await site.kubectl(["exec", "-i", "deploy/web", "--", "cat"], { input: "ping" });
  assert.equal(echo, "ping");
  const script = `${join(root, ".cache/clients/kubectl")} --kubeconfig ${site.kubeconfig} exec -it deploy/web -- sh -c 'tty; exit 3'`;
  const terminal = await runToEnd("script", ["-qec", script, "/dev/null"]);
  assert.match(terminal.stdout, /\/dev\/pts\/0/);
  assert.equal(terminal.code, 3);
});

test("logs are printed and followed", async () => {
  const logs = await site.kubectl(["logs", "deploy/web", "--tail=1"]);
  assert.notEqual(logs.trim(), "");
  const args = ["--kubeconfig", site.kubeconfig, "logs", "-f", "deploy/web"];
  const follower = spawn(join(root, ".cache/clients/kubectl"), args);
  const seen = new Promise<void>((resolve) => {
    let text = "";
    follower.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("followed-line")) resolve();
    });
  });
  await site.kubectl(["exec", "deploy/web", "--", "sh", "-c", "echo followed-line > /proc/1/fd/1"]);
  await seen;
  follower.kill();
});

test("port-forward reaches the container", async () => {
  const args = ["--kubeconfig", site.kubeconfig, "port-forward", "deploy/web", ":8080"];
  const forward = spawn(join(root, ".cache/clients/kubectl"), args);
  const port = await new Promise<string>((resolve, reject) => {
    forward.stdout.on("data", (chunk: Buffer) => {
      const match = /127\.0\.0\.1:(\d+) ->/.exec(chunk.toString());
      if (match) resolve(match[1]!);
    });
    forward.stderr.on("data", (chunk: Buffer) => reject(new Error(chunk.toString())));
  });
  const page = await run("curl", ["-fsS", "--max-time", "5", `http://127.0.0.1:${port}/`]);
  forward.kill();
  assert.match(page, /hello from the edge/);
});

test("a ConfigMap's change reaches the running pod's volume", async () => {
  await site.kubectl([
    "patch",
    "configmap",
    "page",
    "-p",
    '{"data":{"index.html":"changed page\\n"}}',
  ]);
  const wait = "until grep -q changed /www/index.html; do sleep 0.2; done; cat /www/index.html";
  assert.match(await site.kubectl(["exec", "deploy/web", "--", "sh", "-c", wait]), /changed page/);
});

test("a rollout is made, watched, listed and undone", async () => {
  await site.kubectl(["set", "env", "deployment/web", "COLOR=blue"]);
  await site.kubectl(["rollout", "status", "deployment/web", "--timeout=120s"]);
  const history = await site.kubectl(["rollout", "history", "deployment/web"]);
  assert.match(history, /^2\s/m);
  await site.kubectl(["rollout", "undo", "deployment/web"]);
  await site.kubectl(["rollout", "status", "deployment/web", "--timeout=120s"]);
  const { spec } = await site.get("deployment", "web");
  const names = spec.template.spec.containers[0].env.map((entry: { name: string }) => entry.name);
  assert.ok(!names.includes("COLOR"));
});

test("describe tells the story of an object", async () => {
  const text = await site.kubectl(["describe", "deployment", "web"]);
  assert.match(text, /Replicas:\s+3 desired \| 3 updated \| 3 total \| 3 available/);
  const pod = await site.kubectl(["describe", "pod", "-l", "app=web"]);
  assert.match(pod, /Successfully assigned default\/web-/);
  assert.match(await site.kubectl(["describe", "service", "web"]), /Endpoints:\s+10\./);
});

test("explain knows every field", async () => {
  const text = await site.kubectl(["explain", "deployment", "--recursive"]);
  assert.match(text, /progressDeadlineSeconds\s+<integer>/);
});

test("diff shows what an apply would change", async () => {
  const changed = web.replace("replicas: 3", "replicas: 2");
  const diff = await site.tryKubectl(["diff", "-f", "-"], { input: changed });
  assert.equal(diff.code, 1, diff.stderr);
  assert.match(diff.stdout, /^-\s+replicas: 3$/m);
  assert.match(diff.stdout, /^\+\s+replicas: 2$/m);
});

test("server-side apply reports a conflict, and force resolves it", async () => {
  const changed = web.replace("replicas: 3", "replicas: 2");
  const apply = ["apply", "--server-side", "--field-manager=other", "-f", "-"];
  const refused = await site.tryKubectl(apply, { input: changed });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /conflict with "kubectl-client-side-apply".*\n?.*\.spec\.replicas/);
  await site.kubectl([...apply, "--force-conflicts"], { input: changed });
  await site.kubectl([
    "wait",
    "--for=jsonpath={.status.replicas}=2",
    "deployment/web",
    "--timeout=120s",
  ]);
});

test("a custom resource is defined, applied, listed and validated", async () => {
  await site.apply(readFileSync(join(root, "examples/sensor-crd.yaml"), "utf8"));
  await site.kubectl([
    "wait",
    "--for=condition=Established",
    "crd/sensors.example.org",
    "--timeout=120s",
  ]);
  await site.apply(readFileSync(join(root, "examples/sensor.yaml"), "utf8"));
  const list = await site.kubectl(["get", "sensors"]);
  assert.match(list, /NAME\s+UNIT\s+INTERVAL/);
  assert.match(list, /cellar\s+celsius\s+30/);
  const bad = await site.tryKubectl([
    "patch",
    "sensor",
    "cellar",
    "--type=merge",
    "-p",
    '{"spec":{"unit":"furlong"}}',
  ]);
  assert.match(bad.stderr, /Unsupported value: "furlong"/);
});

test("an image that is imported by a name of its own leaves other names alone", async () => {
  const file = join(site.directory, "busybox.tar");
  await site.kerb("image", "import", file, "--name", "other:1");
  const images = await site.kerb("image", "list");
  assert.match(images, /docker.io\/library\/busybox:kerb /);
  assert.match(images, /docker.io\/library\/other:1 /);
  const wrong = runToEnd(kerb, ["image", "import", file, "--name", "Not one"]);
  assert.match((await wrong).stderr, /"Not one" is no image's name/);
});

test("delete takes everything away", async () => {
  await site.kubectl(["delete", "-f", "-", "--wait", "--timeout=120s"], { input: web });
  await site.kubectl(["wait", "--for=delete", "pod", "-l", "app=web", "--timeout=120s"]);
  assert.equal((await site.get("pods")).items.length, 0);
});
