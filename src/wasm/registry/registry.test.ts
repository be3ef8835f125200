import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { moduleLayerOf, wasmManifestOf } from "./media-types.ts";
import { RegistryClient, parseChallenge, parseName } from "./registry-client.ts";

test("names are taken apart, with ports, tags and digests", () => {
  const rows: [string, string, string, string][] = [
    ["docker.io/library/a:1", "docker.io", "library/a", "1"],
    ["127.0.0.1:5000/a/b:v1", "127.0.0.1:5000", "a/b", "v1"],
    ["r.example/a@sha256:0f", "r.example", "a", "sha256:0f"],
    ["r.example/a:1@sha256:0f", "r.example", "a", "sha256:0f"],
  ];
  for (const [full, host, repository, reference] of rows) {
    assert.deepEqual(parseName(full), { host, repository, reference }, full);
  }
});

test("challenges are read", () => {
  const header = 'Bearer realm="https://auth.example/token",service="r",scope="repository:a:pull"';
  assert.deepEqual(parseChallenge(header), {
    scheme: "bearer",
    realm: "https://auth.example/token",
    service: "r",
    scope: "repository:a:pull",
  });
});

test("of an index the manifest for WebAssembly is taken, and of one without it the only one", () => {
  const at = (os: string, architecture: string) => ({
    mediaType: "",
    digest: `${os}-${architecture}`,
    size: 1,
    platform: { os, architecture },
  });
  const linux = at("linux", "amd64");
  assert.equal(wasmManifestOf({ manifests: [linux, at("wasi", "wasm")] })?.digest, "wasi-wasm");
  assert.equal(wasmManifestOf({ manifests: [linux] }), undefined);
  assert.equal(
    wasmManifestOf({ manifests: [at("unknown", "unknown")] })?.digest,
    "unknown-unknown",
  );
});

test("an ordinary image has no module's layer", () => {
  const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
  assert.equal(moduleLayerOf({ layers: [{ mediaType, digest: "", size: 1 }] }), undefined);
});

const registries = { insecure: new Set<string>(), mirrors: new Map<string, string>() };

test("a mirror is asked first, and the registry itself for what is not there", async () => {
  const asked: string[] = [];
  const answer = (async (input: any) => {
    asked.push(new URL(String(input)).origin);
    const status = asked.length === 2 ? 404 : 200;
    return new Response(new Uint8Array(manifest), { status });
  }) as typeof fetch;
  const mirrors = new Map([["r.example", "http://mirror.example"]]);
  const options = { registries: { ...registries, mirrors }, fetch: answer };
  const client = new RegistryClient(parseName("r.example/a:1"), options);
  await client.manifest();
  await client.manifest();
  const mirror = "http://mirror.example";
  assert.deepEqual(asked, [mirror, mirror, "https://r.example"]);
});

test("a token is waited for, and only so long", async () => {
  const signals: unknown[] = [];
  const realm = "https://auth.example/token";
  const answer = (async (input: any, { signal }: any) => {
    signals.push(signal);
    if (String(input).startsWith(realm)) return Response.json({ token: "a" });
    const headers = { "www-authenticate": `Bearer realm="${realm}"` };
    if (signals.length === 1) return new Response("", { status: 401, headers });
    return new Response(new Uint8Array(manifest));
  }) as typeof fetch;
  await new RegistryClient(parseName("r.example/a:1"), { registries, fetch: answer }).manifest();
  assert.equal(signals.length, 3);
  assert.ok(signals.every((signal) => signal instanceof AbortSignal));
});

const manifest = Buffer.from('{"schemaVersion":2,"layers":[]}');
const digest = `sha256:${createHash("sha256").update(manifest).digest("hex")}`;

/** Answers like a registry behind a token server; keeps what it was asked. */
function registry(tokenField: string) {
  const asked: { url: string; authorization: string | null }[] = [];
  const answer = (async (input: any, { headers }: any) => {
    const url = String(input);
    const authorization = new Headers(headers).get("authorization");
    asked.push({ url, authorization });
    if (url.startsWith("https://auth.example")) {
      return Response.json({ [tokenField]: "let-me-in" });
    }
    if (authorization === "Bearer let-me-in") return new Response(new Uint8Array(manifest));
    const realm = 'Bearer realm="https://auth.example/token",service="r.example"';
    return new Response("", { status: 401, headers: { "www-authenticate": realm } });
  }) as typeof fetch;
  return { asked, fetch: answer };
}

for (const field of ["token", "access_token"]) {
  test(`a token server that answers with ${field} is understood, and told who asks`, async () => {
    const { asked, fetch } = registry(field);
    const auth = { username: "a", password: "b" };
    const options = { registries, auth, fetch };
    const client = new RegistryClient(parseName("r.example/a:1"), options);
    assert.equal((await client.manifest()).digest, digest);
    assert.equal(asked[0]!.url, "https://r.example/v2/a/manifests/1");
    assert.match(asked[1]!.url, /service=r.example&scope=repository%3Aa%3Apull/);
    assert.equal(asked[1]!.authorization, "Basic YTpi");
  });
}

test("only registries that somebody named, and those on the loopback, are asked without TLS", async () => {
  const urls: string[] = [];
  const answer = (async (input: any) => {
    urls.push(String(input));
    return new Response(new Uint8Array(manifest));
  }) as typeof fetch;
  for (const name of ["r.example/a:1", "lab.example:5000/a:1", "localhost:5000/a:1"]) {
    const lab = { ...registries, insecure: new Set(["lab.example:5000"]) };
    const options = { registries: lab, fetch: answer };
    await new RegistryClient(parseName(name), options).manifest();
  }
  assert.deepEqual(
    urls.map((url) => new URL(url).origin),
    ["https://r.example", "http://lab.example:5000", "http://localhost:5000"],
  );
});

test("what is not what its digest says is refused, and so is what is too large", async () => {
  const answer = (async () => new Response(new Uint8Array(manifest))) as typeof fetch;
  const options = { registries, fetch: answer };
  const wrong = `sha256:${"0".repeat(64)}`;
  const client = new RegistryClient(parseName(`r.example/a@${wrong}`), options);
  await assert.rejects(client.manifest(), /is not what the registry gives/);
  const blob = { mediaType: "", digest: wrong, size: manifest.length };
  await assert.rejects(client.blob(blob), /is not what the registry gives/);
  await assert.rejects(client.blob({ ...blob, size: 3 }), /is larger than 3 bytes/);
  await assert.rejects(client.blob({ ...blob, size: 2 ** 40 }), /is larger than/);
});
