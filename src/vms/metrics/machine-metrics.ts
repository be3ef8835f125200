// What the server's /metrics tells of machines and their migrations, by the names and labels that KubeVirt's dashboards
// and alerts ask for. What a node knows of its guests is on its own (node/vm-families.ts).
import { Gauge } from "prom-client";
import type { Registry } from "prom-client";
import type { Informers } from "../../client/informers.ts";
import { conditionOf } from "../../controllers/pod-state.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Sample } from "../../lib/exposition.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import type { Scope } from "../../lib/scope.ts";
import { instances, migrations, virtualMachines } from "../kinds/resources.ts";

export interface Machines {
  vms: KubeObject[];
  vmis: KubeObject[];
  migrations: KubeObject[];
}

interface Measure {
  name: string;
  help: string;
  labels: string[];
  /** Pure. */
  samples: (seen: Machines) => Sample[];
}

const none = "<none>";

/** Words of `printableStatus`. */
const groups: Record<string, string[]> = {
  starting: ["Provisioning", "Starting", "WaitingForVolumeBinding"],
  running: ["Running"],
  migrating: ["Migrating"],
  non_running: ["Stopped", "Paused", "Stopping", "Terminating"],
  error: [
    "CrashLoopBackOff",
    "Unknown",
    "ErrorUnschedulable",
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrorPvcNotFound",
    "DataVolumeError",
  ],
};

const groupOf = ({ status }: KubeObject) =>
  Object.keys(groups).find((name) => groups[name]!.includes(status?.printableStatus));

const seconds = (time: string | undefined) => (time ? Date.parse(time) / 1000 : 0);
const named = ({ metadata }: KubeObject) => ({
  name: metadata.name,
  namespace: metadata.namespace ?? "",
});

const wordOf = (vm: KubeObject, word: string): string =>
  vm.spec.template?.metadata?.annotations?.[`vm.kubevirt.io/${word}`] ?? none;

const information = (vm: KubeObject) => ({
  ...named(vm),
  ...{ os: wordOf(vm, "os"), workload: wordOf(vm, "workload"), flavor: wordOf(vm, "flavor") },
  machine_type: vm.spec.template.spec.domain.machine?.type ?? none,
  instance_type: vm.spec.instancetype?.name ?? none,
  preference: vm.spec.preference?.name ?? none,
  status: vm.status?.printableStatus ?? "",
  status_group: groupOf(vm) ?? "<unknown>",
});

/** When its status last became what it is. */
function changedAt(vm: KubeObject): number {
  const times = ["Ready", "Failure", "Paused"].map((type) =>
    seconds(conditionOf(vm, type)?.lastTransitionTime),
  );
  return Math.max(...times);
}

const since = (group: string): Measure => ({
  name: `kubevirt_vm_${group}_status_last_transition_timestamp_seconds`,
  help: `When a machine's status became one of the group ${group}; 0 where it is another.`,
  labels: ["name", "namespace"],
  samples: ({ vms }) =>
    vms.map((vm) => {
      const isIn = (groupOf(vm) ?? "error") === group;
      return { labels: named(vm), value: isIn ? changedAt(vm) : 0 };
    }),
});

function requestsOf(vm: KubeObject): Sample[] {
  const { resources, memory, cpu = {} } = vm.spec.template.spec.domain;
  const of = (resource: string, unit: string, source: string, value: number) => ({
    labels: { ...named(vm), resource, unit, source },
    value,
  });
  const { memory: asked, cpu: cpus } = resources?.requests ?? {};
  const counts = ["cores", "sockets", "threads"].filter((unit) => cpu[unit] !== undefined);
  return [
    ...(asked ? [of("memory", "bytes", "domain", parseQuantity(asked))] : []),
    ...(memory?.guest ? [of("memory", "bytes", "guest", parseQuantity(memory.guest))] : []),
    ...(cpus ? [of("cpu", "cores", "requests", parseQuantity(cpus))] : []),
    ...counts.map((unit) => of("cpu", unit, "domain", cpu[unit])),
  ];
}

const counted = (phase: string, phases: string[]): Measure => ({
  name: `kubevirt_vmi_migrations_in_${phase}_phase`,
  help: `How many migrations are ${phase}.`,
  labels: [],
  samples: (seen) => [
    { value: seen.migrations.filter(({ status }) => phases.includes(status?.phase)).length },
  ],
});

const ended = (word: string, phase: string): Measure => ({
  name: `kubevirt_vmi_migration_${word}`,
  help: `Migrations that ${word}; always 1.`,
  labels: ["vmi", "vmim", "namespace"],
  samples: (seen) =>
    seen.migrations
      .filter(({ status }) => status?.phase === phase)
      .map(({ metadata, spec }) => ({
        labels: { vmi: spec.vmiName, vmim: metadata.name, namespace: metadata.namespace ?? "" },
        value: 1,
      })),
});

function countsByNamespace(objects: KubeObject[]): Sample[] {
  const counts = new Map<string, number>();
  for (const { metadata } of objects) {
    const { namespace = "" } = metadata;
    counts.set(namespace, (counts.get(namespace) ?? 0) + 1);
  }
  return [...counts].map(([namespace, value]) => ({ labels: { namespace }, value }));
}

/** It is to move when its node is drained, and cannot. */
const isStuck = (vmi: KubeObject) =>
  vmi.spec.evictionStrategy === "LiveMigrate" &&
  conditionOf(vmi, "LiveMigratable")?.status === "False";

export const measures: Measure[] = [
  {
    name: "kubevirt_vm_info",
    help: "Machines; always 1.",
    labels: (
      "name namespace os workload flavor machine_type instance_type preference status " +
      "status_group"
    ).split(" "),
    samples: ({ vms }) => vms.map((vm) => ({ labels: information(vm), value: 1 })),
  },
  {
    name: "kubevirt_number_of_vms",
    help: "How many machines a namespace has.",
    labels: ["namespace"],
    samples: ({ vms }) => countsByNamespace(vms),
  },
  {
    name: "kubevirt_vm_create_date_timestamp_seconds",
    help: "When a machine was made.",
    labels: ["name", "namespace"],
    samples: ({ vms }) =>
      vms.map((vm) => ({ labels: named(vm), value: seconds(vm.metadata.creationTimestamp) })),
  },
  {
    name: "kubevirt_vm_resource_requests",
    help: "What a machine asks for.",
    labels: ["name", "namespace", "resource", "unit", "source"],
    samples: ({ vms }) => vms.flatMap(requestsOf),
  },
  ...Object.keys(groups).map(since),
  {
    name: "kubevirt_vmi_non_evictable",
    help: "Instances that are to move when their node is drained, and cannot; always 1.",
    labels: ["node", "namespace", "name"],
    samples: ({ vmis }) =>
      vmis.filter(isStuck).map((vmi) => ({
        labels: { ...named(vmi), node: vmi.status?.nodeName ?? "" },
        value: 1,
      })),
  },
  counted("pending", ["Pending"]),
  counted("scheduling", ["Scheduling"]),
  counted("running", ["Scheduled", "PreparingTarget", "TargetReady", "Running"]),
  ended("succeeded", "Succeeded"),
  ended("failed", "Failed"),
];

/** Counted when asked for. */
export function measureMachines(registry: Registry, informers: Informers, scope: Scope) {
  const [vms, vmis, moves] = [virtualMachines, instances, migrations].map((resource) =>
    informers.get({ resource }),
  );
  for (const { name, help, labels: labelNames, samples } of measures) {
    new Gauge({
      ...{ name, help, labelNames, registers: [registry] },
      collect() {
        this.reset();
        const seen = { vms: vms!.list(), vmis: vmis!.list(), migrations: moves!.list() };
        for (const { labels = {}, value } of samples(seen)) this.set(labels, value);
      },
    });
    scope.defer(() => registry.removeSingleMetric(name));
  }
}
