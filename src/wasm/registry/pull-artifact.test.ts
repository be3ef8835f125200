import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { Runtime } from "../../node/runtime.ts";
import { pullingArtifacts } from "./pull-artifact.ts";
import type { ArtifactOptions, PulledNames } from "./pull-artifact.ts";

const digestOf = (data: Buffer) => `sha256:${createHash("sha256").update(data).digest("hex")}`;
const module = Buffer.from("a module");
const layer = (mediaType: string) => ({
  mediaType,
  digest: digestOf(module),
  size: module.length,
});
const manifestOf = (mediaType: string) =>
  Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [layer(mediaType)] }));
const artifact = manifestOf("application/wasm");

/** A machine whose registry has one thing, and whose containerd pulls nothing but images. */
function machine(manifest: Buffer, options: Partial<ArtifactOptions> = {}) {
  const asked: string[] = [];
  const stored: PulledNames[] = [];
  const runtime = {
    pullImage: async (ref: string) => {
      asked.push("containerd");
      if (manifest === artifact) throw new Error(`no image ${ref}`);
      return "by containerd";
    },
  } as unknown as Runtime;
  const pulling = pullingArtifacts(runtime, {
    registries: { insecure: new Set(), mirrors: new Map() },
    fetch: (async (url: string) => {
      asked.push(String(url).includes("manifests") ? "manifest" : "blob");
      return new Response(new Uint8Array(String(url).includes("manifests") ? manifest : module));
    }) as typeof fetch,
    fullReference: (ref) => ref,
    known: async () => undefined,
    store: async (_, names) => {
      stored.push(names);
      return "stored";
    },
    prepare: async () => {},
    ...options,
  });
  return { pulling, asked, stored };
}

const ref = "r.example/a:1";

test("for a pod of modules containerd is not asked for what it cannot unpack", async () => {
  const { pulling, asked, stored } = machine(artifact);
  assert.equal(await pulling.pullImage(ref, undefined, "wasm"), "stored");
  assert.deepEqual(asked, ["manifest", "blob"]);
  assert.deepEqual(stored, [{ name: ref, byDigest: `r.example/a@${digestOf(artifact)}` }]);
});

test("for others it is asked first, and what it cannot pull is looked at once more", async () => {
  const { pulling, asked } = machine(artifact);
  assert.equal(await pulling.pullImage(ref), "stored");
  assert.deepEqual(asked, ["containerd", "manifest", "blob"]);
});

test("an ordinary image is containerd's, whoever asks for it", async () => {
  const ordinary = manifestOf("application/vnd.oci.image.layer.v1.tar+gzip");
  const { pulling, asked } = machine(ordinary);
  assert.equal(await pulling.pullImage(ref, undefined, "wasm"), "by containerd");
  assert.deepEqual(asked, ["manifest", "containerd"]);
});

test("who pulls the same at once waits for the same, and later only the digest is asked for", async () => {
  let there: string | undefined;
  const { pulling, asked } = machine(artifact, { known: async () => there });
  const both = [1, 2].map(() => pulling.pullImage(ref, undefined, "wasm"));
  assert.deepEqual(await Promise.all(both), ["stored", "stored"]);
  assert.deepEqual(asked, ["manifest", "blob"]);
  there = "there";
  assert.equal(await pulling.pullImage(ref, undefined, "wasm"), "there");
  assert.deepEqual(asked, ["manifest", "blob", "manifest"]);
});

test("what is wrong with an artifact is told in place of containerd's words", async () => {
  const store = async () => Promise.reject(new Error("the disk is full"));
  const broken = machine(artifact, { store });
  const why = /r\.example\/a:1 was not imported: the disk is full/;
  await assert.rejects(broken.pulling.pullImage(ref, undefined, "wasm"), why);
  await assert.rejects(broken.pulling.pullImage(ref), why);
});

test("a registry that does not answer is told of in containerd's words", async () => {
  const silent = (async () => Promise.reject(new Error("no route"))) as typeof fetch;
  const { pulling } = machine(artifact, { fetch: silent });
  for (const handler of ["", "wasm"])
    await assert.rejects(pulling.pullImage(ref, undefined, handler), /no image r\.example/);
});
