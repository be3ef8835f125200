import assert from "node:assert/strict";
import { test } from "node:test";
import { lookAt, vmFamilies } from "./vm-families.ts";

const vm = (answers: Record<string, unknown>): any => ({
  options: { namespace: "shop", podName: "virt-launcher-till-x" },
  domain: {
    ...{ name: "till", memoryBytes: 2 ** 27, balloon: true },
    ...{ disks: [{ name: "root" }], interfaces: [{ name: "default" }] },
  },
  qmp: {
    execute: async (command: string) => {
      if (command in answers) return answers[command];
      throw new Error("no such command");
    },
  },
});

const network = {
  ...{ rxBytes: 7, rxPackets: 1, rxErrors: 0, rxDropped: 0 },
  ...{ txBytes: 9, txPackets: 2, txErrors: 0, txDropped: 0 },
};
const times = { userSeconds: 2, systemSeconds: 1, vcpus: [] };
const processes = (vcpus: object[]): any => ({ times: async () => ({ ...times, vcpus }) });
const used = { cpuNanoseconds: 1.5e9, workingSetBytes: 2 ** 28, network };

test("dashboards find a VM's memory, disks and traffic by KubeVirt's names", async () => {
  const look = await lookAt(
    vm({
      "query-balloon": { actual: 2 ** 26 },
      "qom-get": { stats: { "stat-free-memory": 4096, "stat-swap-in": 2 ** 64 } },
      "query-blockstats": [
        {
          qdev: "/machine/peripheral/disk-root/virtio-backend",
          stats: { rd_operations: 3, rd_total_time_ns: 2e9 },
        },
      ],
      "query-cpus-fast": [],
    }),
    used,
    processes([{ id: 0, runSeconds: 4, delaySeconds: 0.25 }]),
  );
  const rows = vmFamilies("box", [look]).flatMap(({ name, samples }) =>
    samples.map(({ labels = {}, value }) => [
      name,
      labels["drive"] ?? labels["interface"] ?? labels["id"],
      value,
    ]),
  );
  const of = (name: string) => rows.filter(([one]) => one === `kubevirt_vmi_${name}`);
  assert.deepEqual(of("cpu_usage_seconds_total"), [
    ["kubevirt_vmi_cpu_usage_seconds_total", undefined, 1.5],
  ]);
  assert.deepEqual(of("vcpu_seconds_total")[0]!.slice(1), ["0", 4]);
  assert.deepEqual(of("vcpu_delay_seconds_total")[0]!.slice(1), ["0", 0.25]);
  assert.equal(of("cpu_user_usage_seconds_total")[0]![2], 2);
  assert.equal(of("memory_domain_bytes")[0]![2], 2 ** 27);
  assert.equal(of("memory_actual_balloon_bytes")[0]![2], 2 ** 26);
  assert.equal(of("memory_unused_bytes")[0]![2], 4096);
  assert.deepEqual(of("memory_swap_in_traffic_bytes"), [], "the guest did not say");
  const reads = of("storage_iops_read_total")[0]!.slice(1);
  assert.deepEqual(reads, ["root", 3]);
  const seconds = of("storage_read_times_seconds_total")[0]!.slice(1);
  assert.deepEqual(seconds, ["root", 2]);
  assert.deepEqual(of("network_receive_bytes_total")[0]!.slice(1), ["default", 7]);
});

test("a QEMU that does not answer leaves its rows out", async () => {
  const look = await lookAt(vm({}), undefined, processes([]));
  const families = vmFamilies("box", [look]).filter(({ samples }) => samples.length > 0);
  assert.deepEqual(
    families.map(({ name }) => name),
    ["kubevirt_vmi_info", "kubevirt_vmi_memory_domain_bytes"],
  );
  const [labels] = families[0]!.samples.map((one) => one.labels);
  assert.partialDeepStrictEqual(labels, { node: "box", namespace: "shop", name: "till" });
});
