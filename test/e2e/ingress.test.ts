// Requests from outside by Ingress and by Gateway API, asked with curl.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { freePort, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
let http: number;
let https: number;
const folder = mkdtempSync(join(tmpdir(), "kerb-ingress-"));
const certificate = join(folder, "tls.crt");

const server = (name: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name}}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox:kerb
    command: [sh, -c, "mkdir /tmp/w; echo ${name} > /tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w"]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: ${name}}, ports: [{name: web, port: 80, targetPort: 8080}]}
---
`;

before(async () => {
  [http, https] = [await freePort(), await freePort()];
  const ports = ["--ingress-http-port", String(http), "--ingress-https-port", String(https)];
  site = await startSite("--name", "gate", "--ingress", "--ingress-address", "127.0.0.1", ...ports);
  await importBusybox(site);
  const subject = [
    "-subj",
    "/CN=shop.example",
    "-addext",
    "subjectAltName=DNS:shop.example,DNS:*.gate.example",
  ];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const files = ["-keyout", join(folder, "tls.key"), "-out", certificate];
  await run("openssl", ["req", "-x509", ...key, ...files, "-days", "30", ...subject]);
  const secret = ["create", "secret", "tls", "cert", "--cert", certificate];
  await site.kubectl([...secret, "--key", join(folder, "tls.key")]);
  await site.apply(server("one") + server("two"));
  await site.kubectl(["wait", "pod/one", "pod/two", "--for=condition=Ready", "--timeout=120s"]);
});
after(async () => {
  await site.remove();
  rmSync(folder, { recursive: true });
});

async function curl(url: string, ...args: string[]) {
  const { hostname, protocol } = new URL(url);
  const at = `${hostname}:${protocol === "https:" ? https : http}:127.0.0.1`;
  const to = url.replace(hostname, at.split(":127")[0]!);
  return run("curl", ["-s", "-m", "20", "--resolve", at, "--cacert", certificate, ...args, to]);
}
const status = (url: string) => curl(url, "-o", "/dev/null", "-w", "%{http_code}");

test("an Ingress leads by host and path, and by TLS to those who know its name", async () => {
  const path = (at: string, service: string) =>
    `{path: ${at}, pathType: Prefix, backend: {service: {name: ${service}, port: {name: web}}}}`;
  await site.apply(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  tls: [{hosts: [shop.example], secretName: cert}]
  rules:
  - host: shop.example
    http: {paths: [${path("/", "one")}, ${path("/index.html", "two")}]}
`);
  await eventually(async () => (await curl("http://shop.example/")) === "one\n", "the first page");
  assert.equal(await curl("http://shop.example/index.html"), "two\n");
  assert.equal(await curl("https://shop.example/"), "one\n");
  assert.equal(await status("http://other.example/"), "404");
  await assert.rejects(curl("https://other.example/"), "no certificate");
  const { spec } = await eventually(async () => {
    const found = await site.get("ingress", "shop");
    return found.status.loadBalancer.ingress[0].ip && found;
  }, "its address");
  assert.equal(spec.ingressClassName, "kerb");
});

test("a Gateway leads by its routes, with weights, redirects and conditions", async () => {
  await site.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate}
spec:
  gatewayClassName: kerb
  listeners:
  - {name: web, port: 80, protocol: HTTP, hostname: "*.gate.example"}
  - {name: tls, port: 443, protocol: HTTPS, hostname: "*.gate.example", tls: {certificateRefs: [{name: cert}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: both}
spec:
  parentRefs: [{name: gate, sectionName: tls}]
  hostnames: [a.gate.example]
  rules:
  - matches: [{headers: [{name: x-only, value: two}]}]
    backendRefs: [{name: two, port: 80}]
  - backendRefs: [{name: one, port: 80, weight: 1}, {name: two, port: 80, weight: 1}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: secure}
spec:
  parentRefs: [{name: gate, sectionName: web}]
  rules: [{filters: [{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301}}]}]
`);
  for (const what of ["gateway/gate", "httproute/both"]) {
    const condition = what.startsWith("gateway") ? "Programmed" : "Accepted";
    const path = what.startsWith("gateway")
      ? ".status.conditions"
      : ".status.parents[0].conditions";
    const query = `jsonpath={${path}[?(@.type=="${condition}")].status}=True`;
    await site.kubectl(["wait", what, `--for=${query}`, "--timeout=120s"]);
  }
  const answers = async () => /^(one|two)\n$/.test(await curl("https://a.gate.example/"));
  await eventually(answers, "an answer");
  const pages = new Set<string>();
  for (let i = 0; i < 16; i++) pages.add(await curl("https://a.gate.example/"));
  assert.deepEqual([...pages].sort(), ["one\n", "two\n"]);
  const only = ["-H", "X-Only: two"];
  for (let i = 0; i < 4; i++) {
    assert.equal(await curl("https://a.gate.example/", ...only), "two\n");
  }
  const redirect = ["-o", "/dev/null", "-w", "%{redirect_url}"];
  const moved = async () =>
    (await curl("http://a.gate.example/x", ...redirect)) === "https://a.gate.example/x";
  await eventually(moved, "the way to TLS");
  await eventually(async () => {
    const { listeners } = (await site.get("gateway", "gate")).status;
    return listeners.map((one: any) => one.attachedRoutes).join() === "1,1";
  }, "a route of each listener");
});

test("a pod that goes is not asked any more, and a Service without pods says so", async () => {
  await site.kubectl(["delete", "pod", "two", "--now"]);
  const only = ["-H", "X-Only: two", "-o", "/dev/null", "-w", "%{http_code}"];
  await eventually(async () => (await curl("https://a.gate.example/", ...only)) === "503", "503");
});
