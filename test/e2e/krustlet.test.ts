// Pods that were written for Krustlet, on its node, with the modules of examples/wasm.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { startRegistry } from "../support/registry.ts";
import type { Registry } from "../support/registry.ts";
import { root, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { compileC } from "../support/wasm-module.ts";

let site: Site;
let registry: Registry;
const modules = ["greet", "hello", "simple-server"];

before(async () => {
  registry = await startRegistry({ isOpen: true });
  const mirror = `modules.example=http://${registry.host}`;
  site = await startSite("--name", "edge", "--krustlet", "--registry-mirror", mirror);
  const folder = mkdtempSync(join(tmpdir(), "kerb-modules-"));
  for (const name of modules) {
    const file = join(folder, name);
    await compileC(`examples/wasm/c/${name}.c`, file);
    await registry.pushArtifact(`${name}:1`, {
      config: { mediaType: "application/vnd.wasm.config.v1+json", data: Buffer.from("{}") },
      layers: [
        { mediaType: "application/vnd.wasm.content.layer.v1+wasm", data: readFileSync(file) },
      ],
    });
  }
  rmSync(folder, { recursive: true });
  await site.apply(readFileSync(join(root, "examples/wasm/krustlet.yaml"), "utf8"));
});
after(async () => {
  registry.stop();
  await site.remove();
});

const podOf = (name: string) => site.get("pod", name);
const phase = (name: string, wanted: string) =>
  site.kubectl([
    ...["wait", `--for=jsonpath={.status.phase}=${wanted}`, `pod/${name}`, "--timeout=120s"],
  ]);

test("the second node has Krustlet's labels, taints and architecture", async () => {
  const { metadata, spec, status } = await site.get("node", "edge-wasm");
  assert.equal(metadata.labels["kubernetes.io/arch"], "wasm32-wasi");
  assert.equal(metadata.labels["type"], "krustlet");
  assert.equal(status.nodeInfo.architecture, "wasm-wasi");
  const taints = spec.taints.filter(({ key }: { key: string }) => key === "kubernetes.io/arch");
  assert.deepEqual(
    taints.map(({ effect, value }: any) => `${value}:${effect}`),
    ["wasm32-wasi:NoSchedule", "wasm32-wasi:NoExecute"],
  );
});

test("a pod runs there unchanged, from its registry's mirror, and is done when it ended well", async () => {
  await phase("greet", "Succeeded");
  assert.equal((await site.kubectl(["logs", "greet"])).trim(), "Hello, wasm on Kubernetes!");
  const { spec, status } = await podOf("greet");
  assert.equal(spec.nodeName, "edge-wasm");
  assert.equal(status.containerStatuses[0].restartCount, 0);
});

test("it has its environment, its volumes, and all of its arguments as argv", async () => {
  await phase("hello", "Succeeded");
  const said = await site.kubectl(["logs", "hello"]);
  for (const line of ["PLAIN=text", "POD=hello", "COLOUR=green", "2 arguments: one two"]) {
    assert.ok(said.includes(`${line}\n`), line);
  }
  assert.match(said, /^Hello from stderr, C!$/m);
  assert.match(said, /\/mnt\/storage\/text\.txt/);
});

test("kill -9 of Kerb restarts no pod of either node", async () => {
  await site.apply(
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "beside" },
      spec: {
        runtimeClassName: "wasm",
        containers: [{ name: "main", image: "modules.example/simple-server:1" }],
      },
    }),
  );
  const names = ["simple-server", "beside"];
  for (const name of names) {
    await site.kubectl(["wait", "--for=condition=Ready", `pod/${name}`, "--timeout=120s"]);
  }
  const ids = async () =>
    Promise.all(
      names.map(async (name) => {
        const [{ containerID, restartCount }] = (await podOf(name)).status.containerStatuses;
        return `${containerID} ${restartCount}`;
      }),
    );
  const before = await ids();
  process.kill(site.pid, "SIGKILL");
  await site.up("--krustlet");
  await eventually(
    async () => (await site.kubectl(["logs", "simple-server", "--tail=1"])) !== "",
    "logs through the node",
  );
  assert.deepEqual(await ids(), before);
});
