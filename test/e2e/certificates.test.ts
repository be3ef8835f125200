// A person gets a certificate from the site: asks, is approved, and comes in with it.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import type { Site } from "../support/site.ts";
import { root, startSite } from "../support/site.ts";

let site: Site;
const directory = mkdtempSync(join(tmpdir(), "kerb-csr-"));
const file = (name: string) => join(directory, name);
before(async () => (site = await startSite("--name", "certificates")));
after(async () => {
  await site.remove();
  rmSync(directory, { recursive: true });
});

function request(name: string, subject: string, signer: string) {
  const key = ["-newkey", "rsa:2048", "-nodes", "-keyout", file(`${name}.key`)];
  execFileSync("openssl", ["req", "-new", ...key, "-subj", subject, "-out", file(`${name}.csr`)], {
    stdio: "pipe",
  });
  const usages = ["client auth", "digital signature", "key encipherment"];
  return JSON.stringify({
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { name },
    spec: {
      request: readFileSync(file(`${name}.csr`)).toString("base64"),
      signerName: `kubernetes.io/${signer}`,
      usages,
      expirationSeconds: 3600,
    },
  });
}

const certificateOf = (name: string) => [
  "wait",
  `csr/${name}`,
  "--for=jsonpath={.status.certificate}",
  "--timeout=120s",
];

test("what is approved is signed, and its owner comes in by it", async () => {
  const input = request("ann", "/O=farmers/CN=ann", "kube-apiserver-client");
  await site.kubectl(["apply", "-f", "-"], { input });
  assert.match(await site.kubectl(["get", "csr", "ann"]), /Pending/);
  await site.kubectl(["certificate", "approve", "ann"]);
  await site.kubectl(certificateOf("ann"));
  assert.match(await site.kubectl(["get", "csr", "ann"]), /Approved,Issued/);
  const path = "jsonpath={.status.certificate}";
  const certificate = await site.kubectl(["get", "csr", "ann", "-o", path]);
  writeFileSync(file("ann.crt"), Buffer.from(certificate, "base64"));
  const as = ["--client-certificate", file("ann.crt"), "--client-key", file("ann.key")];
  const me = await site.tryKubectl(["auth", "whoami", "-o", "yaml", ...as, "--user", ""]);
  assert.match(me.stdout, /username: ann/, me.stderr);
  assert.match(me.stdout, /- farmers/);
});

test("a node's agent is approved by itself; one that asks for another's name is not", async () => {
  const signer = "kube-apiserver-client-kubelet";
  const right = request("node", "/O=system:nodes/CN=system:node:box", signer);
  await site.kubectl(["apply", "-f", "-"], { input: right });
  await site.kubectl(certificateOf("node"));
  assert.match(await site.kubectl(["get", "csr", "node"]), /Approved,Issued/);
  const wrong = request("wrong", "/O=system:masters/CN=box", signer);
  await site.kubectl(["apply", "-f", "-"], { input: wrong });
  await site.kubectl(["certificate", "approve", "wrong"]);
  const failed = ["wait", "csr/wrong", "--for=condition=Failed", "--timeout=120s"];
  await site.kubectl(failed);
  assert.match(await site.kubectl(["get", "csr", "wrong"]), /Approved,Failed/);
});

test("the site's authority is replaced under a kubectl that watches, and old files are of no use after", async () => {
  const old = file("old-kubeconfig");
  writeFileSync(old, readFileSync(site.kubeconfig));
  const watched: string[] = [];
  const watch = spawn(
    join(root, ".cache/clients/kubectl"),
    [
      "--kubeconfig",
      site.kubeconfig,
      "get",
      "configmaps",
      "-n",
      "default",
      "--watch",
      "-o",
      "name",
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  watch.stdout.on("data", (text: Buffer) => watched.push(text.toString()));
  await eventually(async () => watched.length > 0, "what the watch begins with");
  const withOld = (...args: string[]) => site.tryKubectl(["--kubeconfig", old, ...args]);
  const rootCa = async () =>
    (await site.get("configmap", "kube-root-ca.crt", "-n", "default")).data["ca.crt"] as string;
  const count = (pem: string) => pem.split("BEGIN CERTIFICATE").length - 1;
  assert.match(await site.kerb("authority", "advance"), /^TrustBoth/);
  assert.equal(count(await rootCa()), 2);
  assert.equal((await withOld("get", "nodes")).code, 0);
  const both = file("both-kubeconfig");
  writeFileSync(both, readFileSync(site.kubeconfig));
  assert.match(await site.kerb("authority", "advance"), /^IssueNew/);
  assert.match((await withOld("get", "nodes")).stderr, /certificate signed by unknown authority/);
  assert.equal((await site.tryKubectl(["--kubeconfig", both, "get", "nodes"])).code, 0);
  assert.match(await site.kerb("authority", "advance"), /^Settled/);
  assert.equal(count(await rootCa()), 1);
  const refused = await site.tryKubectl(["--kubeconfig", both, "get", "nodes"]);
  assert.match(refused.stderr, /Unauthorized|logged in/);
  await site.kubectl(["create", "configmap", "after"]);
  await eventually(async () => watched.join("").includes("configmap/after"), "the watch");
  watch.kill();
  await site.kubectl(["wait", "node", "--all", "--for=condition=Ready", "--timeout=120s"]);
  await site.down("--keep-workloads");
  await site.up();
  assert.match(await site.kubectl(["get", "configmap", "after"]), /after/);
});
