// A site follows a real git repository over HTTPS and a real registry, and goes on without them.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { gitUser, GitServer } from "../support/git-server.ts";
import { registryUser, startRegistry } from "../support/registry.ts";
import type { Registry } from "../support/registry.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
let git: GitServer;
let registry: Registry;

const map = (name: string, colour: string) =>
  `{apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}}, data: {colour: ${colour}}}\n`;

before(async () => {
  [site, git, registry] = await Promise.all([
    startSite("--name", "gitops", "--no-node", "--gitops"),
    GitServer.start(),
    startRegistry(),
  ]);
  const ca = join(site.directory, "git-ca.pem");
  writeFileSync(ca, git.ca);
  const { username, password } = gitUser;
  const from = [`--from-literal=username=${username}`, `--from-literal=password=${password}`];
  await site.kubectl(["create", "secret", "generic", "git", ...from, `--from-file=ca.crt=${ca}`]);
});
after(async () => {
  await site?.remove();
  await git?.remove();
  registry?.stop();
});

const object = (kind: string, name: string, spec: object) =>
  site.kubectl(["apply", "-f", "-"], {
    input: JSON.stringify({
      apiVersion: `${kind === "Kustomization" ? "kustomize" : "source"}.toolkit.fluxcd.io/v1`,
      ...{ kind, metadata: { name, namespace: "default" }, spec },
    }),
  });

const source = (name: string, ref: object) =>
  object("GitRepository", name, { url: git.url, interval: "1s", secretRef: { name: "git" }, ref });
const kustomization = (name: string, more: object = {}) =>
  object("Kustomization", name, {
    ...{ interval: "1s", prune: true, path: "./overlay" },
    ...{ sourceRef: { kind: "GitRepository", name: "shop" }, ...more },
  });

const ready = (kind: string, name: string, matches: RegExp) =>
  eventually(async () => {
    const { status } = await site.get(kind, name);
    const one = status?.conditions?.find(({ type }: any) => type === "Ready");
    return one && matches.test(`${one.status} ${one.reason} ${one.message}`) && status;
  }, `${kind} ${name} ${matches}`);
const colour = async (name: string) =>
  (await site.get("configmap", name, "-n", "shop")).data.colour;
const isColour = (name: string, wanted: string) =>
  eventually(async () => (await colour(name)) === wanted, `${name} in ${wanted}`);

const isGone = (name: string) =>
  eventually(async () => {
    const { stderr } = await site.tryKubectl(["get", "configmap", name, "-n", "shop"]);
    return stderr.includes("NotFound");
  }, `the end of ${name}`);

test("what a branch says is what the site has, and what it says no more goes", async () => {
  git.commit(
    {
      "base/kustomization.yaml": "resources: [namespace.yaml, till.yaml, old.yaml]\n",
      "base/namespace.yaml": "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n",
      "base/till.yaml": map("till", "red"),
      "base/old.yaml": map("old", "grey"),
      "overlay/kustomization.yaml":
        "namespace: shop\nresources: [../base]\nlabels: [{pairs: {team: dairy}}]\n",
    },
    "v1.0.0",
  );
  await source("shop", { branch: "main" });
  await kustomization("shop");
  const { lastAppliedRevision, inventory } = await ready(
    "ks",
    "shop",
    /^True .*Applied revision: main@sha1:/,
  );
  assert.match(lastAppliedRevision, /^main@sha1:[0-9a-f]{40}$/);
  assert.ok(inventory.entries.some(({ id }: any) => id === "shop_till__ConfigMap"));
  const { metadata } = await site.get("configmap", "till", "-n", "shop");
  assert.equal(metadata.labels.team, "dairy");
  assert.equal(metadata.labels["kustomize.toolkit.fluxcd.io/name"], "shop");
  git.commit({
    "base/till.yaml": map("till", "blue"),
    "base/old.yaml": undefined,
    "base/kustomization.yaml": "resources: [namespace.yaml, till.yaml]\n",
  });
  await isColour("till", "blue");
  await isGone("old");
});

test("a range of versions and a commit are pinned", async () => {
  const pinned = git.commit({ "base/till.yaml": map("till", "green") }, "v1.4.2");
  git.commit({ "base/till.yaml": map("till", "black") }, "v2.0.0");
  await source("shop", { semver: "1.x" });
  await ready("gitrepo", "shop", /v1\.4\.2@sha1:/);
  await isColour("till", "green");
  await source("shop", { commit: pinned.replace(/.$/, (one) => (one === "0" ? "1" : "0")) });
  await ready("gitrepo", "shop", /^False .*the last good copy is v1\.4\.2/);
  await source("shop", { commit: pinned });
  await ready("gitrepo", "shop", new RegExp(`^True .*sha1:${pinned}`));
});

test("without its repository the site goes on from the last good copy, after a restart too", async () => {
  await source("shop", { tag: "v1.4.2" });
  await isColour("till", "green");
  await git.close();
  await ready("gitrepo", "shop", /^False .*the last good copy is/);
  await site.kubectl(["delete", "configmap", "till", "-n", "shop"]);
  await isColour("till", "green");
  await site.down();
  await site.up("--no-node", "--gitops");
  await site.kubectl(["delete", "configmap", "till", "-n", "shop"]);
  await isColour("till", "green");
  await git.listen();
  await source("shop", { branch: "main" });
  await isColour("till", "black");
});

test("what waits for another waits until that is healthy, and a suspended one rests", async () => {
  const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1"}]}}
`;
  git.commit({ "web/web.yaml": deployment, "after/after.yaml": map("after", "white") });
  const check = { apiVersion: "apps/v1", kind: "Deployment", name: "web", namespace: "shop" };
  await kustomization("web", { path: "web", healthChecks: [check], timeout: "2m" });
  await kustomization("after", {
    path: "after",
    targetNamespace: "shop",
    dependsOn: [{ name: "web" }],
  });
  await ready("ks", "web", /waits for Deployment\/shop\/web/);
  await ready("ks", "after", /^False DependencyNotReady/);
  const zero = {
    path: "web",
    patches: [
      { patch: '[{"op":"add","path":"/spec/replicas","value":0}]', target: { kind: "Deployment" } },
    ],
  };
  await kustomization("web", { ...zero, healthChecks: [check] });
  await ready("ks", "web", /^True/);
  await isColour("after", "white");
  await kustomization("after", { path: "after", targetNamespace: "shop", suspend: true });
  await site.kubectl(["delete", "configmap", "after", "-n", "shop"]);
  await site.kubectl(["delete", "ks", "web", "--timeout=120s"]);
  await assert.rejects(site.get("deployment", "web", "-n", "shop"), /not found/);
  await assert.rejects(colour("after"), /not found/);
});

test("what is not supported is refused by its name", async () => {
  await kustomization("odd", { postBuild: { substitute: { a: "b" } }, force: true });
  await ready("ks", "odd", /^False Unsupported not supported here: spec\.force, spec\.postBuild/);
  await object("GitRepository", "odd", { url: "http://127.0.0.1/x", interval: "1m" });
  await ready("gitrepo", "odd", /only https:/);
});

const digest = (data: Uint8Array) => `sha256:${createHash("sha256").update(data).digest("hex")}`;

/** What Flux's CLI pushes. */
function artifactOf(files: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), "kerb-artifact-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  execFileSync("tar", ["-czf", `${folder}.tgz`, "-C", folder, "."]);
  const data = readFileSync(`${folder}.tgz`);
  rmSync(folder, { recursive: true });
  rmSync(`${folder}.tgz`);
  const config = { mediaType: "application/vnd.cncf.flux.config.v1+json", data: Buffer.from("{}") };
  return { config, layers: [{ mediaType: "application/vnd.cncf.flux.content.v1.tar+gzip", data }] };
}

/** What `cosign sign --key` leaves. */
async function signArtifact(of: string, key: string) {
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: {},
        image: { "docker-manifest-digest": of },
        type: "cosign container image signature",
      },
    }),
  );
  const config = { mediaType: "application/vnd.oci.image.config.v1+json", data: Buffer.from("{}") };
  const layers = [{ mediaType: "application/vnd.dev.cosign.simplesigning.v1+json", data: payload }];
  const tag = `${of.replace(":", "-")}.sig`;
  await registry.pushArtifact(`shop/manifests:${tag}`, { config, layers });
  const authorization = `Basic ${Buffer.from(`${registryUser.username}:${registryUser.password}`).toString("base64")}`;
  const signature = sign("sha256", payload, key).toString("base64");
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: config.mediaType, digest: digest(config.data), size: config.data.length },
    layers: [
      {
        ...{ mediaType: layers[0]!.mediaType, digest: digest(payload), size: payload.length },
        annotations: { "dev.cosignproject.cosign/signature": signature },
      },
    ],
  };
  const headers = { authorization, "content-type": manifest.mediaType };
  const url = `http://${registry.host}/v2/shop/manifests/manifests/${tag}`;
  const put = await fetch(url, { method: "PUT", headers, body: JSON.stringify(manifest) });
  assert.ok(put.ok, await put.text());
}

test("an artifact of a registry is applied when it is signed by a known key, and not otherwise", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = (key: typeof publicKey, type: "spki" | "pkcs8") =>
    key.export({ type, format: "pem" }).toString();
  const pushed = await registry.pushArtifact(
    "shop/manifests:1.0.0",
    artifactOf({ "sign.yaml": map("sign", "gold") }),
  );
  const { username, password } = registryUser;
  await site.kubectl([
    ...["create", "secret", "docker-registry", "registry", `--docker-server=${registry.host}`],
    ...[`--docker-username=${username}`, `--docker-password=${password}`],
  ]);
  writeFileSync(join(site.directory, "cosign.pub"), pem(publicKey, "spki"));
  await site.kubectl([
    "create",
    "secret",
    "generic",
    "cosign",
    `--from-file=${join(site.directory, "cosign.pub")}`,
  ]);
  const oci = (ref: object) =>
    object("OCIRepository", "signed", {
      ...{ url: `oci://${registry.host}/shop/manifests`, interval: "1s", insecure: true, ref },
      ...{
        secretRef: { name: "registry" },
        verify: { provider: "cosign", secretRef: { name: "cosign" } },
      },
    });
  await oci({ semver: ">=1.0.0, <2.0.0" });
  const from = {
    sourceRef: { kind: "OCIRepository", name: "signed" },
    path: "",
    targetNamespace: "shop",
  };
  await kustomization("signed", from);
  await ready("ocirepo", "signed", /^False .*no signature of sha256:/);
  await signArtifact(pushed, pem(privateKey, "pkcs8"));
  await isColour("sign", "gold");
  assert.match((await ready("ocirepo", "signed", /^True/)).artifact.revision, /^1\.0\.0@sha256:/);
  await oci({ digest: pushed });
  await ready("ocirepo", "signed", new RegExp(`^True .*'${pushed}'`));
  await registry.pushArtifact(
    "shop/manifests:1.1.0",
    artifactOf({ "sign.yaml": map("sign", "false") }),
  );
  await oci({ semver: "1.x" });
  await ready("ocirepo", "signed", /^False .*no signature of/);
  assert.equal(await colour("sign"), "gold");
});
