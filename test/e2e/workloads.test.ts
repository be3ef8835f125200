// Every kind of workload with real containers: what people bring beside Deployments.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;

before(async () => {
  site = await startSite("--name", "workloads");
  await importBusybox(site);
});
after(() => site.remove());

const container = (script: string) =>
  `{name: main, image: "busybox:kerb", command: [sh, -c, ${JSON.stringify(script)}]}`;
const sleeper = container("trap 'exit 0' TERM; while true; do sleep 1 & wait; done");

/** Ready, after `before`. The set's own status may be of the time when that was there. */
async function untilAnother(name: string, before: { metadata: { uid: string } }) {
  await eventually(
    async () => (await site.get("pod", name)).metadata.uid !== before.metadata.uid,
    `another ${name}`,
  );
  await site.kubectl(["wait", `pod/${name}`, "--for=condition=Ready", "--timeout=120s"]);
}

test("a StatefulSet starts in order, and its pods keep their names and find each other", async () => {
  await site.apply(`
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [${sleeper}]}
`);
  await site.kubectl(["rollout", "status", "statefulset/db", "--timeout=120s"]);
  const [first, second] = (await site.get("pods", "-l", "app=db")).items;
  assert.deepEqual([first.metadata.name, second.metadata.name], ["db-0", "db-1"]);
  assert.ok(first.status.startTime <= second.status.startTime);
  const look = ["exec", "db-1", "--", "nslookup", "db-0.db.default.svc.cluster.local"];
  const address = new RegExp(`Address.*${first.status.podIP}`);
  await eventually(async () => address.test(await site.kubectl(look)), "its address");
  await site.kubectl(["delete", "pod", "db-0", "--wait"]);
  await untilAnother("db-0", first);
});

test("a DaemonSet runs once on the node", async () => {
  await site.apply(`
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [${sleeper}]}
`);
  await site.kubectl(["rollout", "status", "daemonset/agent", "--timeout=120s"]);
  const pods = (await site.get("pods", "-l", "app=agent")).items;
  assert.deepEqual(
    pods.map((pod: any) => pod.spec.nodeName),
    ["workloads"],
  );
});

test("a Job runs its pods to completion, and one that fails says why", async () => {
  const job = (name: string, script: string, more: string) => `
apiVersion: batch/v1
kind: Job
metadata: {name: ${name}}
spec:
  ${more}
  template:
    spec: {restartPolicy: Never, containers: [${container(script)}]}
---
`;
  await site.apply(
    job("sum", "echo $((6 * 7))", "completions: 3\n  parallelism: 2") +
      job("broken", "exit 3", "backoffLimit: 0"),
  );
  await site.kubectl(["wait", "--for=condition=Complete", "job/sum", "--timeout=120s"]);
  assert.equal((await site.get("job", "sum")).status.succeeded, 3);
  assert.match(await site.kubectl(["logs", "job/sum"]), /^42$/m);
  await site.kubectl(["wait", "--for=condition=Failed", "job/broken", "--timeout=120s"]);
  const [pod] = (await site.get("pods", "-l", "job-name=broken")).items;
  assert.equal(pod.status.containerStatuses[0].state.terminated.exitCode, 3);
  const [failed] = (await site.get("job", "broken")).status.conditions.filter(
    (one: any) => one.type === "Failed",
  );
  assert.equal(failed.reason, "BackoffLimitExceeded");
});

test("a CronJob runs on its schedule", async () => {
  await site.apply(`
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "* * * * *"
  jobTemplate:
    metadata: {labels: {from: tick}}
    spec:
      template:
        spec: {restartPolicy: Never, containers: [${container("echo tick")}]}
`);
  const wait = "--timeout=120s";
  const active = "--for=jsonpath={.status.lastScheduleTime}";
  await site.kubectl(["wait", active, "cronjob/tick", "--timeout=120s"]);
  await site.kubectl(["wait", "--for=condition=Complete", "job", "-l", "from=tick", wait]);
});

test("init containers run first, and a failing probe restarts its container", async () => {
  await site.apply(`
apiVersion: v1
kind: Pod
metadata: {name: probed}
spec:
  volumes: [{name: shared, emptyDir: {}}]
  initContainers:
  - {name: prepare, image: "busybox:kerb", command: [sh, -c, "echo ready > /shared/state"],
     volumeMounts: [{name: shared, mountPath: /shared}]}
  containers:
  - name: main
    image: busybox:kerb
    command: [sh, -c, "cat /shared/state; rm -f /shared/alive; [ -e /shared/second ] || touch /shared/second; sleep 1000"]
    volumeMounts: [{name: shared, mountPath: /shared}]
    livenessProbe: {exec: {command: [test, -e, /shared/alive]}, periodSeconds: 1, failureThreshold: 1}
    terminationMessagePolicy: FallbackToLogsOnError
  terminationGracePeriodSeconds: 0
`);
  await eventually(async () => {
    const [{ restartCount }] = (await site.get("pod", "probed")).status.containerStatuses;
    return restartCount > 0;
  }, "another start");
  await eventually(
    async () => /^ready$/m.test(await site.kubectl(["logs", "probed"])),
    "its words",
  );
  const why = /Unhealthy.*Liveness probe failed/;
  const events = () => site.kubectl(["events", "--for", "pod/probed"]);
  await eventually(async () => why.test(await events()), "the reason");
});

test("a claim of a StatefulSet keeps its data while pods come and go, and its folder goes with it", async () => {
  await site.apply(`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  replicas: 1
  selector: {matchLabels: {app: store}}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}
  template:
    metadata: {labels: {app: store}}
    spec:
      containers:
      - name: main
        image: busybox:kerb
        command: [sh, -c, "trap 'exit 0' TERM; date >> /data/starts; while true; do sleep 1 & wait; done"]
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
`);
  await site.kubectl(["rollout", "status", "statefulset/store", "--timeout=120s"]);
  assert.match(
    await site.kubectl(["get", "pvc", "data-store-0"]),
    /Bound\s+pvc-\S+\s+1Mi\s+RWO\s+local-path/,
  );
  const before = await site.get("pod", "store-0");
  await site.kubectl(["delete", "pod", "store-0", "--wait"]);
  await untilAnother("store-0", before);
  const starts = () => site.kubectl(["exec", "store-0", "--", "cat", "/data/starts"]);
  await eventually(async () => (await starts()).trim().split("\n").length === 2, "two starts");
  const [volume] = (await site.get("pv")).items;
  assert.ok(existsSync(volume.spec.local.path));
  await site.kubectl(["delete", "statefulset", "store", "--wait"]);
  await site.kubectl(["wait", "--for=delete", "pv", "--all", "--timeout=120s"]);
  assert.ok(!existsSync(volume.spec.local.path));
});

test("kerb down gives containers their grace, and kerb up brings their pods back", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kerb-grace-"));
  await site.apply(`
apiVersion: v1
kind: Pod
metadata: {name: polite}
spec:
  volumes: [{name: out, hostPath: {path: ${folder}}}]
  containers:
  - name: main
    image: busybox:kerb
    command: [sh, -c, "trap 'sleep 1; echo bye > /out/said; exit 0' TERM; while true; do sleep 1 & wait; done"]
    volumeMounts: [{name: out, mountPath: /out}]
`);
  await site.kubectl(["wait", "--for=condition=Ready", "pod/polite", "--timeout=120s"]);
  await site.kubectl(["delete", "pod/probed", "cronjob/tick"]);
  assert.match(await site.down(), /stopping \d+ pods/);
  assert.equal(readFileSync(join(folder, "said"), "utf8"), "bye\n");
  rmSync(folder, { recursive: true });
  await site.up();
  await site.kubectl(["wait", "--for=condition=Ready", "pod/db-0", "pod/polite", "--timeout=120s"]);
});
