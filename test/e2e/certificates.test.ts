// A person gets a certificate from the site: asks, is approved, and comes in with it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Site } from "../support/site.ts";
import { startSite } from "../support/site.ts";

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
  "--timeout=20s",
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
  const failed = ["wait", "csr/wrong", "--for=condition=Failed", "--timeout=20s"];
  await site.kubectl(failed);
  assert.match(await site.kubectl(["get", "csr", "wrong"]), /Approved,Failed/);
});
