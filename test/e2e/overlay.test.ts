// Three machines that are not on one link: two of them reach each other only through a router, by IPv4. Their pods
// meet in VXLAN, in both families.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { busyboxArchive, importBusybox } from "../support/image.ts";
import { Machine } from "../support/machine.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
const machines = [new Machine(), new Machine()];
const names = ["centre", "east", "west"];

const script =
  "mkdir /tmp/www; head -c 200000 /dev/zero > /tmp/www/big; hostname > /tmp/www/index.html; " +
  "exec httpd -f -p '[::]:8080' -h /tmp/www";
const spread = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: "busybox:kerb", command: [sh, -c, "${script}"], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ipFamilyPolicy: RequireDualStack, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`;

// Tests of several checkouts share a machine.
const own = process.pid % 25;
const prefix = `fd4b:2:${(process.pid % 65_536).toString(16)}`;
const ranges = [
  ...["--pod-cidr", `10.${200 + 2 * own}.0.0/16,${prefix}::/56`],
  ...["--service-cidr", `10.${201 + 2 * own}.0.0/16,${prefix}:100::/112`],
];

before(async () => {
  await Promise.all(machines.map((machine) => machine.start()));
  const listen = machines.flatMap(({ hostAddress }) => ["--listen", hostAddress]);
  site = await startSite("--name", "centre", "--pod-network", "vxlan", ...ranges, ...listen);
  const [server, ...secrets] = (await site.joinWords()) as [string];
  const { port } = new URL(server);
  await importBusybox(site);
  const archive = join(site.directory, "busybox.tar");
  writeFileSync(archive, busyboxArchive());
  await Promise.all(
    machines.map(async (machine, i) => {
      const at = `https://${machine.hostAddress}:${port}`;
      await machine.join(at, ...secrets, "--name", names[i + 1]!);
      await machine.kerb("image", "import", archive);
    }),
  );
  await site.apply(spread);
  await site.kubectl(["rollout", "status", "daemonset/web", "--timeout=120s"]);
});
after(async () => {
  for (const machine of machines) await machine.remove();
  await site.remove();
});

const pods = async (): Promise<{ name: string; node: string; ip: string; ips: string[] }[]> =>
  (await site.get("pods", "-l", "app=web")).items.map(({ metadata, spec, status }: any) => ({
    name: metadata.name,
    node: spec.nodeName,
    ip: status.podIP,
    ips: [status.podIP, `[${status.podIPs[1].ip}]`],
  }));
const fetchIn = (pod: string, url: string, seconds = 20) =>
  site.kubectl(["exec", pod, "--", "sh", "-c", `timeout ${seconds} wget -qO- ${url}`]);

test("every pod reaches every other, with packets of any size", async () => {
  const all = await pods();
  assert.deepEqual(all.map(({ node }) => node).sort(), [...names].sort());
  for (const from of all) {
    for (const to of all) {
      for (const ip of to.ips) {
        assert.equal(await fetchIn(from.name, `http://${ip}:8080/`), `${to.name}\n`);
      }
    }
    const other = all.find(({ node }) => node !== from.node)!;
    for (const ip of other.ips) {
      const size = await fetchIn(from.name, `http://${ip}:8080/big | wc -c`);
      assert.equal(size.trim(), "200000");
    }
  }
});

test("a Service is served from all machines, and its name known on each", async () => {
  const { clusterIPs } = (await site.get("service", "web")).spec;
  for (const [i, { name }] of (await pods()).entries()) {
    const host = i === 0 ? `[${clusterIPs[1]}]` : "web";
    const loop = `for i in 1 2 3 4 5 6 7 8 9 10 11 12; do timeout 20 wget -qO- http://${host}; done`;
    const heard = (await site.kubectl(["exec", name, "--", "sh", "-c", loop])).trim().split("\n");
    assert.equal(heard.length, 12);
    assert.ok(new Set(heard).size > 1, "several pods");
  }
});

test("a policy holds for pods of other machines", async () => {
  const policy = (spec: string) =>
    `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: shut}, spec: ${spec}}`;
  await site.apply(policy("{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}"));
  const all = await pods();
  const [one, other] = [all[0]!, all[1]!];
  const shut = () =>
    Promise.all(
      other.ips.map((ip) =>
        fetchIn(one.name, `http://${ip}:8080/`, 2).then(
          () => false,
          () => true,
        ),
      ),
    ).then((all) => all.every(Boolean));
  await eventually(shut, "the policy");
  await site.kubectl(["delete", "networkpolicy", "shut"]);
  await eventually(() => fetchIn(one.name, `http://${other.ip}:8080/`), "the pod again");
});

test("a node that restarts keeps its tunnels, and what goes through them", async () => {
  const [east] = machines as [Machine, Machine];
  const tunnels = async () => {
    const all = JSON.parse(await east.run("ip", "-json", "link", "show", "type", "vxlan"));
    return all.map(({ ifindex, ifname }: any) => `${ifindex} ${ifname}`);
  };
  const before = await tunnels();
  assert.equal(before.length, 2);
  const all = await pods();
  const from = all.find(({ node }) => node === "centre")!;
  const to = all.find(({ node }) => node === "east")!;
  const ask = `timeout 20 wget -qO- http://${to.ip}:8080/`;
  const until = `until [ -e /tmp/over ]; do ${ask} || echo lost; sleep 0.1; done`;
  const heard = site.kubectl(["exec", from.name, "--", "sh", "-c", until]);
  await east.kill();
  await east.join();
  assert.deepEqual(await tunnels(), before);
  await site.kubectl(["exec", from.name, "--", "touch", "/tmp/over"]);
  assert.deepEqual([...new Set((await heard).trim().split("\n"))], [to.name]);
});

test("what led to a node goes with it", async () => {
  const { spec } = await site.get("node", "west");
  const routes = async () => (await run("ip", ["route"])) + (await run("ip", ["-6", "route"]));
  assert.match(await routes(), new RegExp(`${spec.podCIDRs[0]} via .* dev kerb\\d+x`));
  assert.match(await routes(), new RegExp(`${spec.podCIDRs[1]} via .* dev kerb\\d+y`));
  await machines[1]!.kill();
  await site.kubectl(["delete", "node", "west"]);
  const isGone = async () => {
    const now = await routes();
    return spec.podCIDRs.every((cidr: string) => !now.includes(`${cidr} via`));
  };
  await eventually(isGone, "no route");
});
