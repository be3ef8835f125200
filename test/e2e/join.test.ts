// A second machine joins a site and is a node like any other.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { FakeCsiDriver } from "../../src/node/csi/fake-csi-driver.ts";
import { run } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { busyboxArchive, importBusybox } from "../support/image.ts";
import { Machine } from "../support/machine.ts";
import { freePort, root, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { buildModule } from "../support/wasm-module.ts";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";

let site: Site;
let joined: string[];
const machine = new Machine();

const spread = () =>
  readFileSync(join(root, "examples/web.yaml"), "utf8")
    .replace("replicas: 3", "replicas: 4")
    .replace(
      "terminationGracePeriodSeconds: 1",
      "terminationGracePeriodSeconds: 1\n      topologySpreadConstraints:\n" +
        "        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, " +
        "labelSelector: {matchLabels: {app: web}}}",
    );

/** On the second machine, with a volume of the driver. */
const drivenPod = (driver: string) => `
apiVersion: v1
kind: PersistentVolume
metadata: {name: far}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOncePod]
  storageClassName: far
  claimRef: {namespace: default, name: far}
  csi: {driver: ${driver}, volumeHandle: vol-9}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: far}
spec: {accessModes: [ReadWriteOncePod], storageClassName: far, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: driven}
spec:
  nodeSelector: {kubernetes.io/hostname: second}
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: busybox:kerb
      command: [sleep, "3600"]
      volumeMounts: [{name: far, mountPath: /far}]
  volumes: [{name: far, persistentVolumeClaim: {claimName: far}}]
`;

const pods = async (node: string) =>
  (await site.get("pods", "-l", "app=web")).items.filter((one: any) => one.spec.nodeName === node);

before(async () => {
  await machine.start();
  site = await startSite("--name", "first", "--listen", machine.hostAddress);
  joined = await site.joinWords();
});
after(async () => {
  await machine.remove();
  await site.remove();
});

test("a machine that is told of another authority does not join", async () => {
  const wrong = joined.map((word) => word.replace(/^sha256:.*/, `sha256:${"0".repeat(64)}`));
  await assert.rejects(machine.join(...wrong, "--name", "typo"), /somebody stands between/);
  assert.ok(!existsSync(machine.directory), "nothing is decided: it may come by another name");
});

test("a machine joins with a token and is Ready", async () => {
  await machine.join(...joined, "--name", "second");
  await site.kubectl(["wait", "node", "second", "--for=condition=Ready", "--timeout=120s"]);
  const { spec, status } = await site.get("node", "second");
  assert.match(spec.podCIDR, /\.1\.0\/24$/);
  assert.ok(status.addresses.some((one: any) => one.address === machine.address));
});

test("no list of processes shows the token that a machine joined with", () => {
  const { pid } = JSON.parse(readFileSync(join(machine.directory, "run.json"), "utf8"));
  const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
  assert.match(line, /^kerb join .*--token … --ca-hash /);
  assert.ok(!line.includes(joined[joined.indexOf("--token") + 1]!));
});

test("a joined node has no memory that can be written and run", () => {
  const { pid } = JSON.parse(readFileSync(join(machine.directory, "run.json"), "utf8"));
  assert.doesNotMatch(readFileSync(`/proc/${pid}/maps`, "utf8"), / rwx/);
  const { pid: own } = site;
  assert.match(readFileSync(`/proc/${own}/maps`, "utf8"), / rwx/, "a server compiles what it does");
});

test("pods on both machines serve behind one Service and are reached alike", async () => {
  await importBusybox(site);
  const archive = join(mkdtempSync(join(tmpdir(), "kerb-image-")), "busybox.tar");
  writeFileSync(archive, busyboxArchive());
  await machine.kerb("image", "import", archive);
  await site.apply(spread());
  await site.kubectl(["rollout", "status", "deployment/web", "--timeout=120s"]);
  const [[here], [there]] = [await pods("first"), await pods("second")];
  for (const { metadata } of [here, there]) {
    const { name } = metadata;
    const script = "for i in 1 2 3 4 5 6 7 8; do timeout 20 wget -qO- http://web; done";
    const pages = await site.kubectl(["exec", name, "--", "sh", "-c", script]);
    assert.equal(pages, "hello from the edge\n".repeat(8));
    assert.match(await site.kubectl(["logs", name]), /serving/);
    assert.equal(await site.kubectl(["exec", "-i", name, "--", "cat"], { input: "in" }), "in");
  }
  assert.match(await site.kubectl(["logs", there.metadata.name]), /response:200/);
});

/** On the second machine, alone and beside a container. */
const modulePods = ["alone", "beside"].map((name) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: {
    runtimeClassName: "wasm",
    nodeSelector: { "kubernetes.io/hostname": "second" },
    restartPolicy: "Never",
    containers: [
      { name: "main", image: "probe:1", args: ["env"], env: [{ name: "WHERE", value: name }] },
      ...(name === "beside"
        ? [{ name: "container", image: "busybox:kerb", command: ["echo", "from a container"] }]
        : []),
    ],
  },
}));

test("modules run on the other machine, alone and beside a container", async () => {
  const module = await buildModule("test/wasm/probe.c");
  await machine.kerb("image", "import", module.file, "--name", "probe:1");
  module.remove();
  for (const pod of modulePods) await site.apply(JSON.stringify(pod));
  const end = "--for=jsonpath={.status.phase}=Succeeded";
  await site.kubectl(["wait", end, "pod/alone", "pod/beside", "--timeout=120s"]);
  assert.match(await site.kubectl(["logs", "alone"]), /^env: WHERE=alone$/m);
  assert.match(await site.kubectl(["logs", "beside", "-c", "main"]), /^env: WHERE=beside$/m);
  assert.match(await site.kubectl(["logs", "beside", "-c", "container"]), /from a container/);
});

test("a port of a pod on the other machine is forwarded", async () => {
  const [there] = await pods("second");
  const port = await freePort();
  const kubectl = join(root, ".cache/clients/kubectl");
  const args = ["--kubeconfig", site.kubeconfig, "port-forward", there.metadata.name];
  const forward = spawn(kubectl, [...args, `${port}:8080`], { stdio: "ignore" });
  try {
    const page = () => fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text());
    assert.equal(await eventually(page, "the page"), "hello from the edge\n");
  } finally {
    forward.kill();
  }
});

test("a node may not read what its pods do not name", async () => {
  const secret = ["create", "secret", "generic", "private", "--from-literal=a=b"];
  await site.kubectl(secret);
  const identity = readFileSync(join(machine.directory, "pki/node.pem"), "utf8");
  const folder = mkdtempSync(join(tmpdir(), "kerb-node-"));
  writeFileSync(join(folder, "node.pem"), identity);
  const ask = (path: string) =>
    machine.run(
      "curl",
      "-s",
      "--cacert",
      join(machine.directory, "pki/server-ca.pem"),
      "--cert",
      join(folder, "node.pem"),
      joined[0]! + path,
    );
  assert.match(await ask("/api/v1/namespaces/default/secrets/private"), /forbidden/);
  assert.match(await ask("/api/v1/secrets"), /forbidden/);
  assert.match(await ask("/api/v1/namespaces/default/secrets/web"), /"password"/);
});

const containers = async () =>
  new Map(
    (await site.get("pods", "-l", "app=web")).items.map((pod: any) => {
      const [{ containerID, restartCount }] = pod.status.containerStatuses;
      return [pod.metadata.name, [containerID, restartCount, pod.status.podIP]];
    }),
  );

test("a node that is killed, and one whose cable is pulled, come back with what ran there", async () => {
  const before = await containers();
  await machine.kill();
  await machine.join();
  const [there] = await pods("second");
  const { name } = there.metadata;
  const answers = () => site.kubectl(["exec", name, "--", "hostname"]);
  assert.equal(await eventually(answers, "an answer"), `${name}\n`);
  await machine.plug(false);
  const silent = await site.tryKubectl(["exec", name, "--", "hostname"]);
  assert.notEqual(silent.code, 0);
  await machine.plug(true);
  assert.equal(await eventually(answers, "an answer after the cut"), `${name}\n`);
  assert.deepEqual(await containers(), before);
  // The kernel forgot the route with its interface.
  const page = () => run("curl", ["-fsS", "--max-time", "2", `http://${there.status.podIP}:8080/`]);
  assert.match(await eventually(page, "the route to its pods"), /hello from the edge/);
});

test("a node that reboots while its link is cut brings its pods back, and nothing is lost", async () => {
  const uids = async () =>
    (await site.get("pods", "-l", "app=web")).items
      .map(({ metadata }: any) => metadata.uid)
      .toSorted();
  const before = await uids();
  // Memories are written down within ten seconds.
  await setTimeout(11_000);
  await machine.plug(false);
  await machine.kill();
  // Nothing runs any more, as after a reboot.
  await machine.kerb("down", "--grace-period=0");
  await machine.join();
  const running = () =>
    machine.run(
      "ctr",
      "--address",
      join(machine.directory, "containerd/containerd.sock"),
      "-n",
      "k8s.io",
      "tasks",
      "ls",
    );
  await eventually(async () => (await running()).split("RUNNING").length > 4, "containers");
  const [there] = await pods("second");
  const ctr = ["ctr", "--address", join(machine.directory, "containerd/containerd.sock")];
  let tries = 0;
  const lookUp = async (task: string) => {
    const exec = ["-n", "k8s.io", "tasks", "exec", "--exec-id", `try${tries++}`, task];
    return machine
      .run(...ctr, ...exec, "nslookup", "web.default.svc.cluster.local")
      .catch(() => "");
  };
  const named = async () => {
    const tasks = (await running()).matchAll(/^(\S+)\s+\d+\s+RUNNING/gm);
    // Pods' pause containers have no program to look a name up with.
    const answers = await Promise.all([...tasks].map(([, task]) => lookUp(task!)));
    return answers.some((text) => /web\.default\.svc\.cluster\.local\s+Address: 10\./.test(text));
  };
  await eventually(named, "a name while the link is cut");
  await machine.plug(true);
  const answers = () => site.kubectl(["exec", there.metadata.name, "--", "hostname"]);
  assert.equal(await eventually(answers, "an answer"), `${there.metadata.name}\n`);
  assert.deepEqual(await uids(), before, "the same pods");
  const told = async () => {
    const list = ["get", "events", "-A", "--field-selector", "reason=ServerReachable"];
    return /events of that time follow/.test(await site.kubectl(list));
  };
  assert.ok(await eventually(told, "what happened meanwhile"));
  await site.kubectl(["rollout", "status", "deployment/web", "--timeout=120s"]);
});

test("a driver at the joined machine has its volume attached, mounted, told of, and given back", async () => {
  const name = "far.example.com";
  // Where the node looks for drivers depends on who else runs on this machine.
  const drivers = [join(machine.directory, "kubelet"), "/var/lib/kubelet"].map(
    (folder) =>
      new FakeCsiDriver({
        registry: join(folder, "plugins_registry"),
        name,
        can: ["stages", "tellsUsage"],
      }),
  );
  try {
    for (const one of drivers) void one.start();
    const registered = async () => (await site.get("csinode", "second")).spec.drivers.length > 0;
    await eventually(registered, "the CSINode");
    await site.apply(drivenPod(name));
    const attachment = await eventually(
      async () => (await site.get("volumeattachments")).items[0],
      "the attachment",
    );
    assert.equal(attachment.spec.nodeName, "second");
    const status = '{"status":{"attached":true}}';
    const target = ["volumeattachment", attachment.metadata.name, "--subresource=status"];
    await site.kubectl(["patch", ...target, "--type=merge", "-p", status]);
    await site.kubectl(["wait", "pod/driven", "--for=condition=Ready", "--timeout=120s"]);
    assert.equal(
      await site.kubectl(["exec", "driven", "--", "cat", "/far/hello"]),
      "from the driver",
    );
    const { volumesInUse } = (await site.get("node", "second")).status;
    assert.deepEqual(volumesInUse, [`kubernetes.io/csi/${name}^vol-9`]);
    const page = "/api/v1/nodes/second/proxy/metrics";
    const told = /kubelet_volume_stats_used_bytes\{.*persistentvolumeclaim="far"\} 40/;
    const metrics = async () => told.test(await site.kubectl(["get", "--raw", page]));
    await eventually(metrics, "what the driver says of its volume");
    await machine.kill();
    await machine.join();
    await site.kubectl(["delete", "pod", "driven", "--wait=false"]);
    await site.kubectl(["wait", "volumeattachment", "--all", "--for=delete", "--timeout=120s"]);
    const calls = drivers.flatMap((one) => one.calls);
    assert.deepEqual(calls.slice(-2), ["NodeUnpublishVolume vol-9", "NodeUnstageVolume vol-9"]);
  } finally {
    for (const one of drivers) one.stop();
  }
});

test("a drained node is empty, and leaves nothing of the network behind", async () => {
  await site.kubectl(["scale", "deployment/web", "--replicas=2"]);
  await site.kubectl(["drain", "second", "--ignore-daemonsets", "--timeout=120s"]);
  assert.deepEqual(await pods("second"), []);
  await machine.kill();
  await machine.kerb("down");
  const routes = await machine.run("ip", "route");
  assert.doesNotMatch(routes, /^10\.\S+ via /m);
  await site.kubectl(["delete", "node", "second"]);
  const isGone = async () => !(await run("ip", ["route"])).includes(`via ${machine.address}`);
  await eventually(isGone, "the end of the route to it");
});
