import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { exposition } from "../../lib/exposition.ts";
import { defaultInterface, interfacesByAddress, parseInterfaces } from "./interfaces.ts";
import { sendLogFile } from "./log-files.ts";
import type { Measures } from "./measures.ts";
import { rate } from "./measures.ts";
import { containerMetrics, resourceMetrics } from "./resource-metrics.ts";
import { volumeMetrics } from "./volume-metrics.ts";
import { statsSummary } from "./stats-summary.ts";

const reading = { available: 60, capacity: 100 };
const link = {
  ...{ name: "eth0", rxBytes: 5, rxErrors: 0, txBytes: 7, txErrors: 0 },
  ...{ rxPackets: 2, rxDropped: 1, txPackets: 3, txDropped: 0 },
};
const measures = {
  at: Date.UTC(2026, 0, 2),
  startedAt: Date.UTC(2026, 0, 1),
  cpuNanoseconds: 3e9,
  workingSetBytes: 40,
  readings: {
    "memory.available": reading,
    "nodefs.available": reading,
    "nodefs.inodesFree": { available: Infinity, capacity: Infinity },
    "imagefs.available": reading,
    "imagefs.inodesFree": reading,
    "pid.available": reading,
  },
  interfaces: [link],
  pods: [
    {
      pod: {
        metadata: { name: "p", namespace: "default", uid: "u" },
        spec: { containers: [{ name: "web", resources: { limits: { memory: "1Ki", cpu: "1" } } }] },
        status: {},
      },
      network: link,
      volumes: [
        {
          name: "data",
          claim: "disk",
          bytes: { available: 6, capacity: 10, used: 4 },
          isAbnormal: true,
        },
      ],
      containers: [
        {
          name: "web",
          instance: { id: "c1", startedAt: Date.UTC(2026, 0, 2), image: "web:1" },
          stats: { cpuNanoseconds: 2e9, memoryBytes: 30, workingSetBytes: 20, rssBytes: 10 },
          cgroup: { periods: 10, throttledPeriods: 3 },
          nanoCores: 5e8,
        },
      ],
    },
  ],
} as unknown as Measures;

test("the summary tells of the machine, its pods and their containers", () => {
  const { node, pods } = statsSummary("edge", measures);
  assert.equal(node.nodeName, "edge");
  assert.equal(node.memory.availableBytes, 60);
  assert.deepEqual([node.fs.usedBytes, node.fs.inodes], [40, 0]);
  assert.deepEqual(pods[0].podRef, { name: "p", namespace: "default", uid: "u" });
  assert.equal(pods[0].containers[0].cpu.usageNanoCores, 5e8);
  assert.deepEqual([pods[0].memory.workingSetBytes, pods[0].network.rxBytes], [20, 5]);
  const [volume] = pods[0].volume;
  assert.deepEqual(volume.pvcRef, { name: "disk", namespace: "default" });
  assert.deepEqual([volume.usedBytes, volume.volumeHealthStats], [4, { abnormal: true }]);
});

test("metrics have the names and labels that collectors look for", () => {
  const lines = exposition(resourceMetrics(measures));
  assert.match(
    lines,
    /^container_cpu_usage_seconds_total\{container="web",namespace="default",pod="p"\} 2$/m,
  );
  assert.match(lines, /^pod_memory_working_set_bytes\{namespace="default",pod="p"\} 20$/m);
  const detailed = exposition(containerMetrics(measures, { cores: 2, memoryBytes: 100 }));
  assert.match(detailed, /container_memory_rss\{.*image="web:1".*\} 10/);
  assert.match(detailed, /container_network_receive_packets_dropped_total\{.*\} 1/);
  assert.match(detailed, /container_cpu_cfs_throttled_periods_total\{.*\} 3/);
  assert.match(detailed, /container_spec_memory_limit_bytes\{container="web",.*\} 1024/);
  assert.match(detailed, /container_spec_cpu_quota\{.*\} 100000/);
  assert.doesNotMatch(detailed, /container_memory_swap/, "what nobody counts is not told");
  const volumes = exposition(volumeMetrics([...measures.pods, ...measures.pods]));
  const labels = 'namespace="default",persistentvolumeclaim="disk"';
  assert.ok(volumes.includes(`kubelet_volume_stats_used_bytes{${labels}} 4\n`));
  assert.ok(volumes.includes(`kubelet_volume_stats_health_status_abnormal{${labels}} 1\n`));
  assert.equal(volumes.match(/_used_bytes\{/g)!.length, 1, "once for a claim that two pods use");
  assert.match(detailed, /container_network_receive_bytes_total\{interface="eth0",.*\} 5/);
});

test("labels keep what would end them", () => {
  const samples = [{ labels: { a: 'x"\\\n' }, value: 1 }];
  const lines = exposition([{ name: "m", help: "h", type: "gauge", samples }]);
  assert.equal(lines, '# HELP m h\n# TYPE m gauge\nm{a="x\\"\\\\\\n"} 1\n');
});

test("a rate is of two looks", () => {
  assert.equal(rate(undefined, 1e9, 1000), undefined);
  assert.equal(rate(1e9, 2e9, 2000), 5e8);
});

test("a pod's interface is the one that its address is routed to", () => {
  const routes =
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n" +
    "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\n" +
    "veth1\t0200660A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\n";
  assert.deepEqual([...interfacesByAddress(routes)], [["10.102.0.2", "veth1"]]);
  assert.equal(defaultInterface(routes), "eth0");
  const devices = "x|y\n  lo: 1 0 2 0 0 0 0 0 3 0 4 0 0 0 0 0\n";
  const [lo] = parseInterfaces(devices);
  assert.deepEqual(lo, {
    name: "lo",
    ...{ rxBytes: 1, rxPackets: 0, rxErrors: 2, rxDropped: 0 },
    ...{ txBytes: 3, txPackets: 0, txErrors: 4, txDropped: 0 },
  });
});

const folder = mkdtempSync(join(tmpdir(), "log-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("logs are read within their folder, and not through a link that leads out of it", async () => {
  writeFileSync(join(folder, "a.log"), "one line\n");
  symlinkSync("/etc/passwd", join(folder, "out"));
  const server = createServer((message, response) => {
    void sendLogFile(response, decodeURIComponent(message.url!.slice(1)), folder);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  const get = async (path: string) => {
    const call = request({ port, host: "127.0.0.1", path, agent: false }).end();
    const [answer] = await once(call, "response");
    return [answer.statusCode, await text(answer)];
  };
  assert.deepEqual(await get("/a.log"), [200, "one line\n"]);
  assert.match((await get("/"))[1], /<a href="a.log">a.log<\/a>/);
  for (const path of ["/out", "/..%2F..%2Fetc/passwd", "/none"]) {
    assert.equal((await get(path))[0], 404);
  }
  server.close();
});
