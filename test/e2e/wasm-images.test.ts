// Modules from a registry, in every form that builders have given them, from Debian's docker-registry.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { tar } from "../../src/containers/tar.ts";
import { eventually } from "../support/eventually.ts";
import { registryUser, startRegistry } from "../support/registry.ts";
import type { Artifact, Registry } from "../support/registry.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { compileC } from "../support/wasm-module.ts";

let site: Site;
let registry: Registry;
let module: Buffer;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "kerb-modules-"));
  const file = join(folder, "probe.wasm");
  [site, registry] = await Promise.all([
    startSite("--name", "modules"),
    startRegistry(),
    compileC("test/wasm/probe.c", file),
  ]);
  module = readFileSync(file);
  await site.kubectl([
    ...["create", "secret", "docker-registry", "login", `--docker-server=${registry.host}`],
    `--docker-username=${registryUser.username}`,
    `--docker-password=${registryUser.password}`,
  ]);
});
after(async () => {
  registry.stop();
  rmSync(folder, { recursive: true });
  await site.remove();
});

const empty = Buffer.from("{}");
const json = (value: object) => Buffer.from(JSON.stringify(value));
const wasmConfig = json({ architecture: "wasm", os: "wasip1", layerDigests: [] });

const artifact = (configType: string, layerType: string, config = empty): Artifact => ({
  config: { mediaType: configType, data: config },
  layers: [{ mediaType: layerType, data: module }],
});

function imageFor(os: string, architecture: string): Artifact {
  const files = tar([{ path: "app.wasm", data: module, mode: 0o644 }]);
  const config = json({
    architecture,
    os,
    config: { Entrypoint: ["/app.wasm"], Env: ["FROM=image"] },
    rootfs: { type: "layers", diff_ids: [digestOf(files)] },
  });
  return {
    config: { mediaType: "application/vnd.oci.image.config.v1+json", data: config },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", data: gzipSync(files) }],
  };
}

function digestOf(data: Buffer) {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`;
}

const forms: Record<string, () => Artifact> = {
  "wasm-to-oci": () =>
    artifact("application/vnd.wasm.config.v1+json", "application/vnd.wasm.content.layer.v1+wasm"),
  cncf: () => artifact("application/vnd.wasm.config.v0+json", "application/wasm", wasmConfig),
  runwasi: () => ({
    ...artifact(
      "application/vnd.wasm.config.v0+json",
      "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
      wasmConfig,
    ),
    platform: { os: "wasip1", architecture: "wasm" },
  }),
  wasmcloud: () => ({
    ...artifact(
      "application/vnd.oci.image.config.v1+json",
      "application/vnd.module.wasm.content.layer.v1+wasm",
    ),
    mediaType: "application/vnd.docker.distribution.manifest.v2+json",
  }),
  platform: () => ({
    ...imageFor("wasi", "wasm"),
    platform: { os: "wasi", architecture: "wasm" },
  }),
  ordinary: () => imageFor("linux", process.arch === "arm64" ? "arm64" : "amd64"),
};

const pod = (name: string, image: string, more: object = {}) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      runtimeClassName: "wasm",
      restartPolicy: "Never",
      imagePullSecrets: [{ name: "login" }],
      containers: [{ name: "main", image, args: ["say", `${name} runs`], ...more }],
    },
  });

const statusOf = async (name: string) => (await site.get("pod", name)).status.containerStatuses[0];
const ended = (name: string) =>
  site.kubectl([
    ...["wait", "--for=jsonpath={.status.phase}=Succeeded", `pod/${name}`, "--timeout=120s"],
  ]);
const waitingFor = (name: string, why: RegExp) =>
  eventually(async () => why.test((await statusOf(name)).state.waiting?.message ?? ""), `${why}`);

test("a module is pulled in every form, and its image id is the digest that the registry gave", async () => {
  const all = JSON.parse(pod("forms", ""));
  const digests = new Map<string, string>();
  for (const [name, form] of Object.entries(forms)) {
    digests.set(name, await registry.pushArtifact(`modules/${name}:1`, form()));
  }
  all.spec.containers = [...digests.keys()].map((name) => ({
    name,
    image: `${registry.host}/modules/${name}:1`,
    args: ["say", `${name} runs`],
  }));
  await site.apply(JSON.stringify(all));
  await ended("forms");
  const { containerStatuses } = (await site.get("pod", "forms")).status;
  const withoutContainerd = readdirSync(join(site.directory, "wasm/pods/containers"));
  for (const [name, digest] of digests) {
    assert.equal((await site.kubectl(["logs", "forms", "-c", name])).trim(), `${name} runs`);
    const status = containerStatuses.find((one: { name: string }) => one.name === name);
    assert.equal(status.imageID, `${registry.host}/modules/${name}@${digest}`);
    assert.ok(withoutContainerd.includes(status.containerID.replace("containerd://", "")), name);
  }
});

test("a module is pulled by its digest, and one that is there already is not pulled again", async () => {
  const form = forms["cncf"]!();
  form.layers = [{ mediaType: "application/wasm", data: Buffer.concat([module, custom]) }];
  const digest = await registry.pushArtifact("modules/pinned:1", form);
  const image = `${registry.host}/modules/pinned@${digest}`;
  await site.apply(pod("pinned", image));
  await ended("pinned");
  assert.equal((await statusOf("pinned")).imageID, image);
  await site.apply(pod("present", image, { imagePullPolicy: "Never" }));
  await ended("present");

  const modules = () => readdirSync(join(site.directory, "wasm/modules")).length;
  const before = modules();
  await site.kerb("image", "remove", image);
  assert.equal(modules(), before - 1, "what was read of the image goes with it");
  await assert.rejects(site.kerb("image", "remove", image), /not found/);
});

/** A custom section, so that the same module has another digest. */
const custom = Buffer.from([0, 2, 1, 0x78]);

test("a private module without a secret is not pulled, and what is no module is told", async () => {
  const stranger = JSON.parse(pod("stranger", `${registry.host}/modules/cncf:1`));
  delete stranger.spec.imagePullSecrets;
  stranger.spec.containers[0].imagePullPolicy = "Always";
  await site.apply(JSON.stringify(stranger));
  await waitingFor("stranger", /401|authoriz|no basic auth/i);

  const two = forms["cncf"]!();
  two.layers.push({ mediaType: "application/wasm", data: custom });
  await registry.pushArtifact("modules/two:1", two);
  await site.apply(pod("two", `${registry.host}/modules/two:1`));
  await waitingFor("two", /holds 2 layers; a module's artifact has one/);

  const spin = artifact("application/vnd.fermyon.spin.application.v1+config", "application/wasm");
  await registry.pushArtifact("modules/spin:1", spin);
  await site.apply(pod("spin", `${registry.host}/modules/spin:1`));
  await waitingFor("spin", /is a Spin application/);
});
