// A site of both families on two machines: all that pods, Services, policies and names do over IPv4 they do over
// IPv6, also for a client outside.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { Resolver } from "node:dns/promises";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { busyboxArchive, importBusybox } from "../support/image.ts";
import { Machine } from "../support/machine.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
const [second, outside] = [new Machine(), new Machine()];

// Tests of several checkouts share a machine.
const id = process.pid % 25;
const prefix = `fd4b:1:${(process.pid % 65_536).toString(16)}`;
const pods6 = `${prefix}:0::/56`;
const ranges = [
  ...["--pod-cidr", `10.${200 + 2 * id}.0.0/16,${pods6}`],
  ...["--service-cidr", `10.${201 + 2 * id}.0.0/16,${prefix}:100::/112`],
];

const external = `${prefix}:200::9`;

const script =
  "mkdir -p /tmp/cgi-bin; " +
  "printf '#!/bin/sh\\necho; echo $(hostname) $REMOTE_ADDR\\n' > /tmp/cgi-bin/who; " +
  "chmod 755 /tmp/cgi-bin/who; exec httpd -f -p '[::]:8080' -h /tmp";
const env = `[{name: OWN, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}]`;
const container = `{name: main, image: "busybox:kerb", command: [sh, -c, ${JSON.stringify(script)}], env: ${env}, ports: [{name: http, containerPort: 8080, hostPort: 18184}], readinessProbe: {tcpSocket: {port: http}, periodSeconds: 1}}`;

const service = (name: string, spec: string) => `---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}], ${spec}}
`;
const web =
  `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 0, containers: [${container}]}
` +
  service("web", `type: NodePort, ipFamilyPolicy: PreferDualStack, externalIPs: ['${external}']`) +
  service("six", "ipFamilies: [IPv6], sessionAffinity: ClientIP") +
  service("head", "clusterIP: None, ipFamilyPolicy: RequireDualStack") +
  service("near", "type: LoadBalancer, ipFamilies: [IPv6], externalTrafficPolicy: Local").replace(
    "port: 80",
    "port: 18181",
  ) +
  service(
    "guarded",
    "type: LoadBalancer, ipFamilies: [IPv6], loadBalancerSourceRanges: ['2001:db8::/32']",
  ).replace("port: 80", "port: 18182");

interface Pod {
  name: string;
  node: string;
  ips: string[];
}

const pods = async (): Promise<Pod[]> =>
  (await site.get("pods", "-l", "app=web")).items
    .map(({ metadata, spec, status }: any) => ({
      name: metadata.name,
      node: spec.nodeName,
      ips: status.podIPs.map(({ ip }: { ip: string }) => ip),
    }))
    .sort((a: Pod, b: Pod) => (a.node < b.node ? -1 : 1));
const inPod = (pod: string, command: string) =>
  site.kubectl(["exec", pod, "--", "sh", "-c", command]);
/** What does not answer is not waited for as long as what must. */
const [patient, hasty] = [20, 1];
const who = (host: string, seconds = patient) =>
  `timeout ${seconds} wget -qO- http://${host}/cgi-bin/who`;
const ask = (address: string, port: number, seconds = patient) =>
  outside.run("curl", "-gsfm", String(seconds), `http://[${address}]:${port}/cgi-bin/who`);
const fails = (work: () => Promise<unknown>) => () =>
  work().then(
    () => false,
    () => true,
  );
const clusterIps = async (name: string): Promise<string[]> =>
  (await site.get("service", name)).spec.clusterIPs;
const ingress = async (name: string): Promise<string | undefined> =>
  (await site.get("service", name)).status?.loadBalancer?.ingress?.[0]?.ip;

before(async () => {
  await Promise.all(
    [second, outside].map(async (machine) => {
      await machine.start();
      await machine.addIpv6();
    }),
  );
  site = await startSite("--name", "first", "--listen", second.hostAddress, ...ranges);
  const words = await site.joinWords();
  await Promise.all([second.join(...words, "--name", "second"), importBusybox(site)]);
  const archive = join(site.directory, "image.tar");
  writeFileSync(archive, busyboxArchive());
  await second.kerb("image", "import", archive);
  await site.apply(web);
  await site.kubectl(["rollout", "status", "daemonset/web", "--timeout=120s"]);
});
after(async () => {
  await Promise.all([outside.remove(), second.remove()]);
  await site.remove();
});

test("nodes, pods and Services have addresses of both families", async () => {
  const { items } = await site.get("nodes");
  const internal = items.map(({ status }: any) =>
    status.addresses.filter((one: any) => one.type === "InternalIP").map((one: any) => one.address),
  );
  assert.deepEqual(internal, [
    [second.hostAddress, second.hostAddress6],
    [second.address, second.address6],
  ]);
  for (const { spec } of items) {
    assert.match(spec.podCIDRs.join(), new RegExp(`^10\\.\\d+\\.\\d\\.0/24,${prefix}:.*/64$`));
  }
  for (const { name, ips } of await pods()) {
    assert.equal(ips.length, 2);
    assert.equal((await inPod(name, "echo $OWN")).trim(), ips.join());
  }
  const { spec } = await site.get("service", "web");
  assert.deepEqual(spec.ipFamilies, ["IPv4", "IPv6"]);
  const claims = await site.get("ipaddresses");
  const named = claims.items.map(({ metadata }: any) => metadata.name);
  assert.ok(spec.clusterIPs.every((ip: string) => named.includes(ip)));
  const shown = await site.kubectl(["get", "ipaddresses,servicecidrs"]);
  assert.ok(shown.includes(`${ranges[3]} `) && shown.includes("services/default/web "), shown);
  const slices = await site.get("endpointslices", "-l", "kubernetes.io/service-name=web");
  assert.deepEqual(slices.items.map((one: any) => one.addressType).sort(), ["IPv4", "IPv6"]);
});

test("pods of both machines reach each other and Services over IPv6", async () => {
  const all = await pods();
  const [six] = await clusterIps("six");
  for (const { name } of all) {
    for (const to of all) {
      const [heard] = (await inPod(name, who(`[${to.ips[1]}]:8080`))).split(" ");
      assert.equal(heard, to.name);
    }
    const loop = `for i in 1 2 3 4 5 6; do ${who(`[${(await clusterIps("web"))[1]}]`)}; done`;
    assert.equal((await inPod(name, loop)).trim().split("\n").length, 6);
    const faithful = `for i in 1 2 3 4 5 6; do ${who(`[${six}]`)}; done`;
    const heard = (await inPod(name, faithful)).trim().split("\n");
    assert.equal(new Set(heard.map((line) => line.split(" ")[0])).size, 1);
  }
});

test("names have addresses of both families, and addresses have names", async () => {
  const [{ name, ips }] = (await pods()) as [Pod];
  const lookUp = (...words: string[]) => inPod(name, `nslookup ${words.join(" ")}`);
  const zone = "default.svc.cluster.local";
  const [four, six] = await clusterIps("web");
  const found = await lookUp(`web.${zone}`);
  assert.ok(found.includes(`Address: ${four}`) && found.includes(`Address: ${six}`), found);
  const heads = await lookUp("-type=aaaa", `head.${zone}`);
  for (const pod of await pods()) assert.ok(heads.includes(`Address: ${pod.ips[1]}`), heads);
  assert.match(await lookUp(six!), new RegExp(`name = web\\.${zone}`));
  assert.match(await inPod(name, who("six")), /^web-/);
  const servers = (await inPod(name, "grep nameserver /etc/resolv.conf")).trim().split("\n");
  const asked = servers.map((line) => line.split(" ")[1]!);
  assert.deepEqual(
    asked,
    await site.get("service", "kube-dns", "-n", "kube-system").then(({ spec }) => spec.clusterIPs),
  );
  const gateway = ips[1]!.replace(/[^:]+$/, "1");
  const { items } = await site.get("endpointslices", "-n", "kube-system");
  const slice = items.find((one: any) => one.addressType === "IPv6");
  assert.deepEqual(slice.endpoints[0].addresses, [gateway]);
  const port = String(slice.ports[0].port);
  const resolver = new Resolver();
  resolver.setServers([`[${gateway}]:${port}`]);
  assert.match((await resolver.reverse(ips[1]!)).join("\n"), /\.cluster\.local$/m);
});

test("a client outside gets in by node ports and load balancers, and is known by its address", async () => {
  const { ports } = (await site.get("service", "web")).spec;
  assert.match(await ask(outside.hostAddress6, ports[0].nodePort), /^web-/);
  assert.match(await ask(external, 80), /^web-/);
  const first = (await pods())[0]!.name;
  assert.ok((await ask(outside.hostAddress6, 18_184)).startsWith(first), "the host's own pod");
  const near = (await eventually(() => ingress("near"), "an address"))!;
  const [pod, client] = (await ask(near, 18_181)).trim().split(" ");
  assert.equal(pod, first);
  assert.equal(client, `[${outside.address6}]`);
  const { healthCheckNodePort } = (await site.get("service", "near")).spec;
  const health = await outside.run(
    "curl",
    "-gsm",
    "20",
    `http://[${near}]:${healthCheckNodePort}/`,
  );
  assert.equal(JSON.parse(health).localEndpoints, 1);
  const guarded = (await eventually(() => ingress("guarded"), "an address"))!;
  await assert.rejects(ask(guarded, 18_182, hasty));
});

test("a pod leaves the site by its machine's address", async () => {
  const serve =
    "require('http').createServer((q, s) => s.end(q.socket.remoteAddress)).listen(18183, '::')";
  const args = [`--net=/var/run/netns/${outside.name}`, process.execPath, "-e", serve];
  const server = spawn("nsenter", args, { stdio: "ignore" });
  try {
    const [{ name }] = (await pods()) as [Pod];
    const url = `http://[${outside.address6}]:18183/`;
    const heard = await eventually(
      () => inPod(name, `timeout 2 wget -qO- ${url}`).catch(() => undefined),
      "an answer",
    );
    assert.equal(heard, outside.hostAddress6);
  } finally {
    server.kill();
  }
});

test("a policy holds for IPv6 as it does for IPv4", async () => {
  const policy = (spec: string) =>
    site.apply(
      `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: shut}, spec: ${spec}}`,
    );
  const [one, other] = (await pods()) as [Pod, Pod];
  const between = (seconds?: number) => inPod(one.name, who(`[${other.ips[1]}]:8080`, seconds));
  const shut = () => between(hasty);
  const near = (await ingress("near"))!;
  const network = outside.address6.replace(/2$/, "");
  const block = `{ipBlock: {cidr: "${network}/64", except: ["${outside.hostAddress6}/128"]}}`;
  await policy(`{podSelector: {}, ingress: [{from: [${block}], ports: [{port: http}]}]}`);
  await eventually(fails(shut), "the policy");
  assert.match(await ask(near, 18_181), /^web-/);
  await policy("{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}");
  await eventually(() => between(), "the pod again");
  await eventually(
    fails(() => ask(near, 18_181, hasty)),
    "the policy for the client",
  );
  const dns = "{ports: [{port: 53, protocol: UDP}]}";
  await policy(`{podSelector: {}, policyTypes: [Egress], egress: [${dns}]}`);
  await eventually(fails(shut), "the policy of egress");
  const six = `nslookup web.default.svc.cluster.local ${(await site.get("service", "kube-dns", "-n", "kube-system")).spec.clusterIPs[1]}`;
  assert.match(await inPod(one.name, six), /Address: /);
  await site.kubectl(["delete", "networkpolicy", "shut"]);
  await eventually(() => between(), "the pod at last");
});

test("the second family of a Service goes and comes, the first stays", async () => {
  const patch = (spec: string) =>
    site.kubectl(["patch", "service", "six", "--type=merge", "-p", `{"spec": ${spec}}`]);
  const [first] = await clusterIps("six");
  await patch(`{"ipFamilyPolicy": "RequireDualStack"}`);
  const [same, added] = await clusterIps("six");
  assert.equal(same, first);
  assert.match(added!, /^10\./);
  const [{ name }] = (await pods()) as [Pod];
  await eventually(() => inPod(name, who(added!)), "the second address");
  await assert.rejects(patch(`{"ipFamilies": ["IPv4", "IPv6"]}`), /spec.clusterIPs\[0\]/);
  await patch(`{"ipFamilyPolicy": "SingleStack"}`);
  assert.deepEqual(await clusterIps("six"), [first]);
  await eventually(async () => {
    const { items } = await site.get("endpointslices", "-l", "kubernetes.io/service-name=six");
    return items.length === 1 && items[0].addressType === "IPv6";
  }, "slices of one family");
});

test("a machine without IPv6 says so, and nothing of the site is made", async () => {
  const off = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6";
  await outside.run("sh", "-c", off);
  const up = outside.kerb("up", "--port", "7463", ...ranges);
  await assert.rejects(up, /IPv6 is switched off on this machine.*sysctl -w/);
  assert.deepEqual(readdirSync(outside.directory), []);
});
