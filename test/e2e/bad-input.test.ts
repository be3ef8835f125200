// Whatever is thrown at a site gets one clear error in Kubernetes' own form and loses nothing.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { issueCertificate, subjectOf } from "../../src/server/auth/x509.ts";
import { runToEnd } from "../support/command.ts";
import { kerb, Site, startSite } from "../support/site.ts";

let site: Site;
let admin: { ca: string; cert: string; key: string };

before(async () => {
  site = await startSite("--name", "bad-input");
  const config = parse(readFileSync(site.kubeconfig, "utf8"));
  const plain = (text: string) => Buffer.from(text, "base64").toString();
  admin = {
    ca: plain(config.clusters[0].cluster["certificate-authority-data"]),
    cert: plain(config.users[0].user["client-certificate-data"]),
    key: plain(config.users[0].user["client-key-data"]),
  };
  await site.kubectl(["create", "configmap", "kept", "--from-literal=a=1"]);
});
after(() => site.remove());

interface Answer {
  code: number;
  body: any;
}

function ask(
  method: string,
  path: string,
  body?: string,
  identity: object = admin,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", accept: "application/json" };
    const call = request(
      { host: "127.0.0.1", port: site.port, method, path, headers, ca: admin.ca, ...identity },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve({ code: response.statusCode!, body: JSON.parse(text) }));
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

const configMaps = "/api/v1/namespaces/default/configmaps";

function assertStatus(answer: Answer, code: number, reason: string, message: RegExp) {
  assert.equal(answer.code, code, JSON.stringify(answer.body));
  assert.equal(answer.body.kind, "Status");
  assert.equal(answer.body.apiVersion, "v1");
  assert.equal(answer.body.status, "Failure");
  assert.equal(answer.body.reason, reason);
  assert.equal(answer.body.code, code);
  assert.match(answer.body.message, message);
}

test("unknown flags and commands are refused with a pointer to the help", async () => {
  for (const args of [["up", "--frobnicate"], ["dance"]]) {
    const { code, stderr } = await runToEnd(kerb, args);
    assert.notEqual(code, 0);
    assert.match(stderr, /unknown (option|command)/);
    assert.match(stderr, /--help/);
  }
});

test("what is wrong on the command line is said before anything starts", async () => {
  const data = join(tmpdir(), "kerb-never-made");
  const cases: [string[], RegExp][] = [
    [["up", "--data-dir", ""], /the name of a folder is needed/],
    [["up", "--data-dir", "/proc/kerb"], /no folder can be made at \/proc\/kerb/],
    [["up", "--data-dir", join(kerb, "data")], /no folder can be made at .*: /],
    [["status", "--data-dir", data], /make one with: kerb up --data-dir/],
    [["up", "--name", "other", "--data-dir", site.directory], /already runs on/],
    [["image", "list", "--data-dir", data], /start it with: kerb up --detach --data-dir/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await runToEnd(kerb, args);
    assert.equal(code, 1, args.join(" "));
    assert.match(stderr, message);
    assert.equal(stdout, "");
  }
});

test("an option of the node that does not parse is named before anything starts", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kerb-options-"));
  for (const [option, value] of [
    ["--eviction-hard", "foo<1"],
    ["--reserved-cpus", "3-1"],
  ] as const) {
    const args = ["up", "--data-dir", directory, option, value];
    const { code, stdout, stderr } = await runToEnd(kerb, args);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`kerb: ${option}: `));
    assert.equal(stdout, "");
  }
  rmSync(directory, { recursive: true });
});

test("a second up on the same data is refused and the first goes on", async () => {
  const pid = site.pid;
  const { code, stderr } = await runToEnd(kerb, ["up", "--data-dir", site.directory]);
  assert.equal(code, 1);
  assert.match(stderr, /already runs on .* \(pid \d+/);
  assert.equal(site.pid, pid);
  await site.get("configmap", "kept");
});

test("a port in use is named", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kerb-port-"));
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
  const { port } = blocker.address() as { port: number };
  const args = ["up", "--detach", "--data-dir", directory, "--port", String(port)];
  const { code, stderr } = await runToEnd(kerb, args);
  blocker.close();
  await runToEnd(kerb, ["down", "--data-dir", directory]);
  rmSync(directory, { recursive: true });
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`port ${port} .*in use`));
});

test("data of a newer Kerb is refused, not touched", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kerb-newer-"));
  const settings = JSON.stringify({ format: 99, name: "x", port: 1, slot: 0 });
  writeFileSync(join(directory, "site.json"), settings);
  const { code, stderr } = await runToEnd(kerb, ["up", "--data-dir", directory]);
  assert.equal(code, 1);
  assert.match(stderr, /format 99, newer than this Kerb/);
  assert.equal(readFileSync(join(directory, "site.json"), "utf8"), settings);
  rmSync(directory, { recursive: true });
});

test("a broken manifest names the field", async () => {
  const manifest = (spec: string) =>
    `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x"},"spec":${spec}}`;
  const unknown = await site.tryKubectl(["apply", "-f", "-"], { input: manifest('{"replica":3}') });
  assert.match(unknown.stderr, /strict decoding error: unknown field "spec.replica"/);
  const missing = await ask("POST", "/apis/apps/v1/namespaces/default/deployments", manifest("{}"));
  assertStatus(missing, 422, "Invalid", /spec\.selector: Required value/);
  assert.ok(missing.body.details.causes.some((c: any) => c.field === "spec.selector"));
  const type = await ask(
    "POST",
    "/apis/apps/v1/namespaces/default/deployments",
    manifest('{"replicas":"three"}'),
  );
  assertStatus(type, 400, "BadRequest", /replicas/);
});

test("an object of 3 MB and more is too large", async () => {
  const data = "x".repeat(3 * 2 ** 20 + 1);
  const body = JSON.stringify({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "big" },
    data: { data },
  });
  assertStatus(
    await ask("POST", configMaps, body),
    413,
    "RequestEntityTooLarge",
    /limit is 3145728/,
  );
});

test("JSON nested 10,000 deep is a bad request", async () => {
  const body = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"deep"},"data":${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}}`;
  assertStatus(await ask("POST", configMaps, body), 400, "BadRequest", /depth|nested/);
});

test("duplicate keys are named under strict validation", async () => {
  const body =
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}';
  const answer = await ask("POST", `${configMaps}?fieldValidation=Strict`, body);
  assertStatus(answer, 400, "BadRequest", /duplicate field "data.a"/);
});

test("a foreign certificate is unauthorized", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kerb-cert-"));
  const file = (name: string) => join(directory, name);
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "1",
      "-subj",
      "/O=system:masters/CN=kubernetes-admin",
      "-keyout",
      file("key"),
      "-out",
      file("cert"),
    ],
    { stdio: "ignore" },
  );
  const foreign = { cert: readFileSync(file("cert")), key: readFileSync(file("key")) };
  rmSync(directory, { recursive: true });
  assertStatus(
    await ask("GET", "/api/v1/pods", undefined, foreign),
    401,
    "Unauthorized",
    /Unauthorized/,
  );
});

test("an expired certificate of the site's own is unauthorized", async () => {
  const authority = readFileSync(join(site.directory, "pki/ca.pem"), "utf8");
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = {
    subject: subjectOf(
      new X509Certificate(authority.slice(authority.indexOf("-----BEGIN CERTIFICATE"))),
    ),
    privateKey: createPrivateKey(authority),
  };
  const subject = { commonName: "late", organizations: ["system:masters"] };
  const issue = (notAfterMs: number) => ({
    cert: issueCertificate(
      { subject, publicKey, usage: "client", notBeforeMs: 0, notAfterMs },
      issuer,
    ),
    key: privateKey.export({ type: "pkcs8", format: "pem" }),
  });
  const hour = 3_600_000;
  const valid = await ask("GET", configMaps, undefined, issue(Date.now() + hour));
  assert.equal(valid.code, 200);
  const expired = await ask("GET", configMaps, undefined, issue(Date.now() - hour));
  assertStatus(expired, 401, "Unauthorized", /Unauthorized/);
});

test("a stale resourceVersion is a conflict and loses nothing", async () => {
  const { body: object } = await ask("GET", `${configMaps}/kept`);
  const fresh = await ask(
    "PUT",
    `${configMaps}/kept`,
    JSON.stringify({ ...object, data: { a: "2" } }),
  );
  assert.equal(fresh.code, 200);
  const stale = await ask(
    "PUT",
    `${configMaps}/kept`,
    JSON.stringify({ ...object, data: { a: "3" } }),
  );
  assertStatus(
    stale,
    409,
    "Conflict",
    /the object has been modified; please apply your changes to the latest version and try again/,
  );
  const { body: now } = await ask("GET", `${configMaps}/kept`);
  assert.equal(now.data.a, "2");
});

test("a selector that does not parse is a bad request", async () => {
  const answer = await ask("GET", `${configMaps}?labelSelector=${encodeURIComponent("a in (b")}`);
  assertStatus(answer, 400, "BadRequest", /unable to parse requirement/);
});

test("an unknown path and an unknown kind are not found", async () => {
  assert.equal((await ask("GET", "/apis/nope.example.org/v1/things")).code, 404);
  const answer = await ask("GET", "/api/v1/namespaces/default/configmaps/none");
  assertStatus(answer, 404, "NotFound", /^configmaps "none" not found$/);
});

test("after all that the site answers and what was stored is there", async () => {
  assert.equal((await site.get("configmap", "kept")).data.a, "2");
  assert.match(await site.kubectl(["get", "--raw", "/readyz"]), /ok/);
});
