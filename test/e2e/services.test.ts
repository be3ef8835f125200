// Services as clients outside the cluster meet them: a machine at the end of a cable asks.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, before, test } from "node:test";
import packet from "dns-packet";
import { run } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { Machine } from "../support/machine.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
const outside = new Machine();

const script =
  "mkdir -p /tmp/cgi-bin; " +
  "printf '#!/bin/sh\\necho; echo $(hostname) $REMOTE_ADDR\\n' > /tmp/cgi-bin/who; " +
  "chmod 755 /tmp/cgi-bin/who; exec httpd -f -p 8080 -h /tmp";

const container = (ports = "") =>
  `{name: main, image: "busybox:kerb", command: [sh, -c, ${JSON.stringify(script)}], ports: [${ports}], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}`;

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 0, containers: [${container()}]}
`;

const balancer = (name: string, port: number, more: string) => `---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: ${port}, targetPort: 8080}], ${more}}
`;

const hostPort = (name: string, hostIP: string, port = 18099) => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [${container(`{containerPort: 8080, hostPort: ${port}, hostIP: "${hostIP}"}`)}]
`;

before(async () => {
  await outside.start();
  site = await startSite("--name", "market");
  await importBusybox(site);
  await site.apply(
    web +
      balancer("near", 18081, "externalTrafficPolicy: Local") +
      balancer("guarded", 18082, "loadBalancerSourceRanges: [203.0.113.0/24]") +
      balancer("faithful", 18083, "sessionAffinity: ClientIP") +
      balancer("late", 18083, "loadBalancerClass: kerb.dev/node-addresses") +
      balancer("foreign", 18084, "loadBalancerClass: example.com/other"),
  );
  await site.kubectl(["rollout", "status", "deployment/web", "--timeout=120s"]);
});
after(async () => {
  await outside.remove();
  await site.remove();
});

const ingress = async (name: string): Promise<string | undefined> =>
  (await site.get("service", name)).status?.loadBalancer?.ingress?.[0]?.ip;
const ask = (address: string, port: number, seconds = 20) =>
  outside.run("curl", "-s", "-m", String(seconds), `http://${address}:${port}/cgi-bin/who`);

test("a balanced Service has a node's address, and pods see who asks", async () => {
  const address = (await eventually(() => ingress("near"), "an address"))!;
  const answers = new Set<string>();
  for (let i = 0; i < 12; i++) {
    const [pod, client] = (await ask(address, 18081)).trim().split(" ");
    assert.ok(client!.includes(outside.address), client!);
    answers.add(pod!);
  }
  assert.ok(answers.size > 1, "several pods");
  const { healthCheckNodePort } = (await site.get("service", "near")).spec;
  const health = await outside.run("curl", "-s", `http://${address}:${healthCheckNodePort}/`);
  assert.equal(JSON.parse(health).localEndpoints, 3);
});

test("a client outside the source ranges is not let in", async () => {
  const address = (await eventually(() => ingress("guarded"), "an address"))!;
  await assert.rejects(ask(address, 18082, 2));
  const { clusterIP } = (await site.get("service", "guarded")).spec;
  const pod = (await site.get("pods", "-l", "app=web")).items[0].metadata.name;
  const inside = ["exec", pod, "--", "wget", "-qO-", `http://${clusterIP}:18082/cgi-bin/who`];
  assert.match(await site.kubectl(inside), /^web-/);
});

test("a client stays with its pod while that is there", async () => {
  const address = (await eventually(() => ingress("faithful"), "an address"))!;
  const pods = async () => {
    const names = new Set<string>();
    for (let i = 0; i < 8; i++) names.add((await ask(address, 18083)).split(" ")[0]!);
    return [...names];
  };
  const [first, ...others] = await pods();
  assert.deepEqual(others, []);
  await site.kubectl(["delete", "pod", first!, "--now"]);
  const next = await eventually(async () => {
    const [one, ...rest] = await pods();
    return one !== first && rest.length === 0 ? one : undefined;
  }, "another pod to stay with");
  assert.match(next!, /^web-/);
});

const mute = `
apiVersion: v1
kind: Pod
metadata: {name: mute, labels: {app: mute}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox:kerb
    command: [sh, -c, "ip route del default; exec sleep 100000"]
    securityContext: {capabilities: {add: [NET_ADMIN]}}
---
apiVersion: v1
kind: Service
metadata: {name: moved}
spec: {type: LoadBalancer, selector: {app: mute}, ports: [{port: 18086, targetPort: 8080}]}
`;

test("who got no answer from an endpoint that is gone gets one from the next, also from the same port", async () => {
  await site.apply(mute);
  await site.kubectl(["wait", "pod/mute", "--for=condition=Ready", "--timeout=120s"]);
  const address = (await eventually(() => ingress("moved"), "an address"))!;
  const url = `http://${address}:18086/cgi-bin/who`;
  const fromOnePort = () => outside.run("curl", "-s", "-m", "2", "--local-port", "45001", url);
  await assert.rejects(fromOnePort());
  await site.kubectl(["patch", "service", "moved", "-p", '{"spec":{"selector":{"app":"web"}}}']);
  const endpoints = async () => {
    const { items } = await site.get("endpointslices", "-l", "kubernetes.io/service-name=moved");
    return items.flatMap((slice: any) => slice.endpoints ?? []).length === 3;
  };
  await eventually(endpoints, "the next endpoints");
  await eventually(() => ask(address, 18086), "an answer from another port");
  // What was begun from it is forgotten a moment after the rules are others, and would be remembered for two minutes.
  const isServed = async () => (await fromOnePort()).startsWith("web-");
  await eventually(isServed, "an answer from the same port", { secondsMax: 30 });
});

test("two Services do not share a port of the nodes, and another class is left alone", async () => {
  await eventually(async () => {
    const events = await site.get("events", "--field-selector", "involvedObject.name=late");
    return events.items.some(({ message }: any) =>
      /taken by Service default\/faithful/.test(message),
    );
  }, "the reason");
  assert.equal(await ingress("late"), undefined);
  assert.equal(await ingress("foreign"), undefined);
});

test("one host port leads to two pods, by the address that was asked", async () => {
  await site.apply(
    hostPort("lan", outside.hostAddress) +
      hostPort("own", "127.0.0.1") +
      hostPort("anywhere", "", 18098),
  );
  const names = ["pod/lan", "pod/own", "pod/anywhere"];
  await site.kubectl(["wait", ...names, "--for=condition=Ready", "--timeout=120s"]);
  await eventually(
    async () => (await ask(outside.hostAddress, 18099)).startsWith("lan"),
    "the pod",
  );
  const own = (port: number) =>
    run("curl", ["-s", "-m", "20", `http://127.0.0.1:${port}/cgi-bin/who`]);
  await eventually(async () => (await own(18099)).startsWith("own"), "the pod behind the loopback");
  await eventually(
    async () => (await own(18098)).startsWith("anywhere"),
    "the pod behind all addresses, the loopback's too",
  );
  assert.match(await ask(outside.hostAddress, 18098), /^anywhere/);
});

test("a pod's bandwidth is limited both ways, as its annotations say", async () => {
  const name = "narrow";
  const annotations =
    "annotations: {kubernetes.io/ingress-bandwidth: 8M, kubernetes.io/egress-bandwidth: 4M}";
  const spec = `{terminationGracePeriodSeconds: 0, containers: [${container()}]}`;
  const metadata = `{name: ${name}, ${annotations}}`;
  await site.apply(`{apiVersion: v1, kind: Pod, metadata: ${metadata}, spec: ${spec}}`);
  await site.kubectl(["wait", `pod/${name}`, "--for=condition=Ready", "--timeout=120s"]);
  const { podIP } = (await site.get("pod", name)).status;
  const device = /dev (\S+)/.exec(await run("ip", ["route", "get", podIP]))![1]!;
  assert.match(await run("tc", ["qdisc", "show", "dev", device]), /tbf .* rate 8Mbit/);
  const [{ link_netnsid: id }] = JSON.parse(await run("ip", ["-j", "link", "show", "dev", device]));
  const names = await run("ip", ["netns", "list-id"]);
  const netns = new RegExp(`^nsid ${id} .*name: ([^\\s)]+)`, "m").exec(names)![1]!;
  const inside = await run("tc", ["-netns", netns, "qdisc", "show", "dev", "eth0"]);
  assert.match(inside, /tbf .* rate 4Mbit/);
});

test("names of a stub domain are asked of its own servers", async () => {
  const udp = createSocket("udp4").on("message", (message, client) => {
    const { id, questions = [] } = packet.decode(message);
    const { name } = questions[0]!;
    const answers = [{ type: "A" as const, name, ttl: 5, data: "192.0.2.77" }];
    const answer = packet.encode({ type: "response", id: id!, questions, answers });
    udp.send(answer, client.port, client.address);
  });
  udp.bind(0, "127.0.0.1");
  await once(udp, "listening");
  const stubs = JSON.stringify({ "corp.example": [`127.0.0.1:${udp.address().port}`] });
  const config = ["create", "configmap", "kube-dns", "-n", "kube-system"];
  await site.kubectl([...config, `--from-literal=stubDomains=${stubs}`]);
  const pod = (await site.get("pods", "-l", "app=web")).items[0].metadata.name;
  const lookUp = () => site.kubectl(["exec", pod, "--", "nslookup", "files.corp.example"]);
  await eventually(async () => /192\.0\.2\.77/.test(await lookUp()), "the answer");
  udp.close();
});
