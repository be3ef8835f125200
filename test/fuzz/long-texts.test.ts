// A long text is answered as quickly as it is read, wherever it stands: whoever goes back and forth in one of these
// does not come to its end before the tests do.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isJsonPath } from "../../src/lib/json-path.ts";
import { durationMs } from "../../src/lib/parse-duration.ts";
import { parseChallenge } from "../../src/wasm/registry/registry-client.ts";
import { expand } from "../../src/node/pods/expand.ts";
import { durationOf } from "../../src/server/cel/types.ts";
import { rewriteHtml } from "../../src/server/proxy/rewrite-html.ts";
import { startFuzzedServer } from "./server.ts";
import type { FuzzedServer } from "./server.ts";

const long = 1_000_000;
const spaces = " ".repeat(long);
const digits = "1".repeat(long);
/** What a request's headers hold. */
const urlCharsMax = 60_000;

let server: FuzzedServer;
before(async () => {
  server = await startFuzzedServer();
  const account = { body: `{"metadata":{"name":"default"}}` };
  await server.send("POST", "/api/v1/namespaces/default/serviceaccounts", account);
});
after(() => server.close());

const codeOf = async (...sent: Parameters<FuzzedServer["send"]>) =>
  (await server.send(...sent)).code;

test("selectors and paths of blanks and slashes are refused", async () => {
  const blanks = "+".repeat(urlCharsMax);
  const pods = "/api/v1/namespaces/default/pods";
  for (const selector of [`${blanks}`, `${blanks}!`, `a${blanks}b`]) {
    assert.equal(await codeOf("GET", `${pods}?fieldSelector=${selector}`), 400);
  }
  for (const selector of [`${blanks}=`, `a${blanks}b`, `!${blanks}%21`]) {
    assert.equal(await codeOf("GET", `${pods}?labelSelector=${selector}`), 400);
  }
  const slashes = "/".repeat(urlCharsMax);
  assert.equal(await codeOf("GET", `/api/v1/watch${slashes}x/%0A`), 404);
  assert.equal(await codeOf("GET", `/api/v1/watch/namespaces${slashes}x${slashes}y`), 404);
});

test("a column's path of blanks, or of filters in filters, ends", () => {
  assert.ok(isJsonPath(`.a[?(@.b${spaces}==${spaces}1)]`));
  for (const path of [`[?(@${spaces}x${spaces}]`, `[?(@${spaces}==${spaces})]`]) {
    assert.ok(!isJsonPath(path));
  }
  assert.ok(!isJsonPath(`${"[?(@".repeat(long)}${")]".repeat(long)}`));
});

test("a registry's challenge is read to its end", () => {
  assert.equal(parseChallenge(`Bearer ${"a".repeat(long)}`).scheme, "bearer");
});

test("nothing has a name longer than the store's keys", async () => {
  const name = "a".repeat(urlCharsMax);
  for (const path of [`default/pods/${name}`, `${name}/pods/a`]) {
    assert.equal(await codeOf("GET", `/api/v1/namespaces/${path}`), 404);
  }
  assert.equal(await codeOf("GET", `/api/v1/namespaces/${name}/pods`), 200);
  const metadata = { name: "a" };
  for (const spec of [
    { priorityClassName: name },
    { serviceAccountName: name },
    { volumes: [{}] },
  ]) {
    const body = JSON.stringify({ metadata, spec });
    const code = await codeOf("POST", "/api/v1/namespaces/default/pods", { body });
    assert.ok(code === 403 || code === 422, `${code}`);
  }
});

test("quantities and schedules of a million digits are refused", async () => {
  const pod = (cpu: string) => ({
    metadata: { name: "a" },
    spec: { containers: [{ name: "a", image: "a", resources: { limits: { cpu } } }] },
  });
  const send = (path: string, object: object) =>
    codeOf("POST", path, { body: JSON.stringify(object) });
  assert.equal(await send("/api/v1/namespaces/default/pods", pod(`${digits}x`)), 400);
  const schedule = `@every ${digits}`;
  const spec = { schedule, jobTemplate: { spec: { template: {} } } };
  const path = "/apis/batch/v1/namespaces/default/cronjobs";
  assert.equal(await send(path, { metadata: { name: "a" }, spec }), 422);
});

test("a repeated key of YAML is told, however far away its end is", async () => {
  const body = `a: 1\n? a${spaces}b\n: 1\n? a${spaces}b\n: 2\n`;
  const url = "/api/v1/namespaces/default/configmaps?fieldValidation=Strict";
  assert.equal(await codeOf("POST", url, { body, type: "application/yaml" }), 400);
});

test("bytes of a custom object are judged at once", async () => {
  const property = { type: "string", format: "byte" };
  const schema = { type: "object", properties: { b: property } };
  const version = { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } };
  const definition = {
    metadata: { name: "blobs.farm.example" },
    spec: {
      ...{ group: "farm.example", scope: "Cluster", versions: [version] },
      names: { plural: "blobs", singular: "blob", kind: "Blob", listKind: "BlobList" },
    },
  };
  const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  assert.equal(await codeOf("POST", crds, { body: JSON.stringify(definition) }), 201);
  const body = JSON.stringify({ metadata: { name: "a" }, b: `${spaces}!` });
  assert.equal(await codeOf("POST", "/apis/farm.example/v1/blobs", { body }), 422);
});

test("a node's and a proxy's own readers come to an end", async () => {
  const beginnings = "$(".repeat(long / 2);
  assert.equal(
    expand(beginnings, () => "x"),
    beginnings,
  );
  assert.equal(
    expand(`$(A)${beginnings}$$`, () => "x"),
    `x${beginnings}$`,
  );
  assert.equal(durationMs(digits), undefined);
  assert.equal(durationOf(`-${digits}`).valueOf(), 0);
  const page = rewriteHtml((link) => link);
  const tag = `<a ${"b".repeat(60_000)}>`.repeat(20);
  page.end(tag);
  let out = "";
  for await (const chunk of page) out += chunk;
  assert.equal(out, tag);
});
