import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { KubeObject } from "../kinds/object.ts";
import { unhealthOf } from "./apply/health.ts";
import { entryOf, identityOf, staleEntries } from "./apply/inventory.ts";
import { unknownFields } from "./fields.ts";
import { filesOf, normalize, resolve } from "./files.ts";
import { registryAccess } from "./sources/access.ts";
import { isSigned } from "./sources/cosign.ts";
import { newestTag } from "./sources/versions.ts";

for (const format of ["ustar", "pax", "gnu"]) {
  test(`files come out of a ${format} archive as they went in, without links`, () => {
    const folder = mkdtempSync(join(tmpdir(), "kerb-tar-"));
    const long = `a/${"long".repeat(20)}/${"name".repeat(20)}.yaml`;
    mkdirSync(join(folder, long, ".."), { recursive: true });
    writeFileSync(join(folder, long), "deep");
    writeFileSync(join(folder, "empty"), "");
    symlinkSync("/etc/passwd", join(folder, "link"));
    const archive = execFileSync("tar", [`--format=${format}`, "-cf", "-", "-C", folder, "."]);
    rmSync(folder, { recursive: true });
    const files = filesOf(archive);
    assert.deepEqual([...files.keys()].sort(), [long, "empty"]);
    assert.equal(Buffer.from(files.get(long)!).toString(), "deep");
    assert.throws(() => filesOf(archive.subarray(0, 700)), /cut short|^$/);
  });
}

test("a path leads nowhere outside", () => {
  assert.equal(normalize("./a/../b//c"), "b/c");
  assert.equal(normalize("a/../../b"), undefined);
  assert.equal(resolve("overlay/x", "../../base"), "base");
  assert.equal(resolve("overlay", "/etc"), undefined);
});

test("unknown fields are named by their paths", () => {
  const known = { a: true, b: { c: true } } as const;
  const value = { a: { any: 1 }, b: [{ c: 1 }, { d: 1 }], e: 1, __proto__: null };
  assert.deepEqual(unknownFields(value, known, "spec").sort(), ["spec.b[1].d", "spec.e"]);
  assert.deepEqual(unknownFields({ constructor: 1 }, known, ""), ["constructor"]);
});

for (const [range, wanted] of [
  ["1.x", "v1.4.2"],
  [">=1.0.0, <1.4.0", "1.3.0"],
  ["~2.0.0-0", "2.0.0-rc.1"],
  ["*", "v1.4.2"],
] as const) {
  test(`of the tags, ${range} means ${wanted}`, () => {
    assert.equal(newestTag(["latest", "1.3.0", "v1.4.2", "2.0.0-rc.1", "01.9"], range), wanted);
  });
}

test("a range that is none, and one that nothing is in, are said to be so", () => {
  assert.throws(() => newestTag(["1.0.0"], "one"), /no range of versions/);
  assert.throws(() => newestTag(["1.0.0"], "2.x"), /no tag is in 2\.x/);
});

test("a signature counts for the digest and by the key that it is of", () => {
  const [ours, other] = [0, 1].map(() => generateKeyPairSync("ec", { namedCurve: "P-256" }));
  const pem = (pair: typeof ours) =>
    pair!.publicKey.export({ type: "spki", format: "pem" }).toString();
  const text = (digest: string) =>
    Buffer.from(JSON.stringify({ critical: { image: { "docker-manifest-digest": digest } } }));
  const by = (pair: typeof ours, digest: string) => ({
    payload: text(digest),
    signature: sign("sha256", text(digest), pair!.privateKey).toString("base64"),
  });
  assert.ok(isSigned("sha256:a", [by(ours, "sha256:a")], ["no key", pem(ours)]));
  assert.ok(!isSigned("sha256:a", [by(other, "sha256:a")], [pem(ours)]));
  assert.ok(!isSigned("sha256:a", [by(ours, "sha256:b")], [pem(ours)]));
  assert.ok(
    !isSigned("sha256:a", [{ ...by(ours, "sha256:a"), payload: text("sha256:b") }], [pem(ours)]),
  );
  assert.ok(!isSigned("sha256:a", [], [pem(ours)]));
});

test("credentials of a registry are those of its host, with a colon in the password", () => {
  const auth = Buffer.from("me:a:b").toString("base64");
  const data = { ".dockerconfigjson": JSON.stringify({ auths: { "r:5000": { auth } } }) };
  assert.deepEqual(registryAccess(data, "r:5000"), { username: "me", password: "a:b" });
  assert.deepEqual(registryAccess(data, "other"), {});
});

test("what is no longer there is stale, and what came last goes first", () => {
  const entry = (name: string, namespace?: string) =>
    entryOf({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, ...(namespace && { namespace }) },
    });
  const all = [entry("a", "x"), entry("b_c", "x"), entry("system:node")];
  assert.deepEqual(staleEntries(all, [all[1]!]), [all[2], all[0]]);
  assert.deepEqual(
    all.map((one) => identityOf(one).name),
    ["a", "b_c", "system:node"],
  );
  assert.deepEqual(identityOf(all[0]!), {
    ...{ namespace: "x", name: "a", group: "apps", kind: "Deployment", version: "v1" },
  });
});

const live = (kind: string, spec: object, status: object) =>
  ({ kind, metadata: { generation: 2 }, spec, status }) as unknown as KubeObject;
const ready = (status: string, message = "no") => ({
  conditions: [{ type: "Ready", status, message }],
});
for (const [what, object, why] of [
  [
    "a rolled out Deployment",
    live(
      "Deployment",
      { replicas: 2 },
      { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 },
    ),
    undefined,
  ],
  [
    "one that was not looked at",
    live("Deployment", {}, { observedGeneration: 1 }),
    /not looked at/,
  ],
  [
    "one with old pods",
    live("Deployment", { replicas: 1 }, { replicas: 2, updatedReplicas: 1, availableReplicas: 1 }),
    /older pods/,
  ],
  [
    "one that is not ready",
    live("Deployment", { replicas: 2 }, { updatedReplicas: 2, availableReplicas: 1 }),
    /1 of 2 are ready/,
  ],
  ["a Job that runs", live("Job", {}, {}), /it runs/],
  [
    "a failed Job",
    live("Job", {}, { conditions: [{ type: "Failed", status: "True", message: "bad" }] }),
    /bad/,
  ],
  ["a custom object that says Ready", live("Thing", {}, ready("True")), undefined],
  ["a custom object that is not", live("Thing", {}, ready("False")), /no/],
  ["a ConfigMap", live("ConfigMap", {}, {}), undefined],
  ["nothing", undefined, /not there/],
] as const) {
  test(`${what} is ${why ? "not yet" : ""} healthy`, () => {
    const found = unhealthOf(object)?.why;
    if (why) assert.match(found ?? "", why);
    else assert.equal(found, undefined);
  });
}
