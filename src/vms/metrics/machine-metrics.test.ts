import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import type { KubeObject } from "../../kinds/object.ts";
import { exposition } from "../../lib/exposition.ts";
import { Scope } from "../../lib/scope.ts";
import { measureMachines, measures } from "./machine-metrics.ts";

const creationTimestamp = "2026-01-01T00:00:00Z";
const object = (name: string, rest: object): any => ({
  metadata: { name, namespace: "shop", creationTimestamp },
  ...rest,
});

const till = object("till", {
  spec: {
    instancetype: { name: "small" },
    template: {
      metadata: { annotations: { "vm.kubevirt.io/os": "debian12" } },
      spec: { domain: { memory: { guest: "1Gi" }, cpu: { cores: 2 }, machine: { type: "q35" } } },
    },
  },
  status: {
    printableStatus: "Running",
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:01:00Z" }],
  },
});
const stuck = object("till", {
  spec: { evictionStrategy: "LiveMigrate" },
  status: { nodeName: "a", conditions: [{ type: "LiveMigratable", status: "False" }] },
});
const move = (name: string, phase: string) =>
  object(name, { spec: { vmiName: "till" }, status: { phase } });

test("machines and migrations are measured as dashboards for KubeVirt ask", () => {
  const moves = [move("a", "Pending"), move("b", "TargetReady"), move("c", "Failed")];
  const seen = { vms: [till], vmis: [stuck], migrations: moves };
  const text = exposition(
    measures.map(({ name, help, samples }) => ({
      ...{ name, help, type: "gauge", samples: samples(seen) },
    })),
  );
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  const at = 'name="till",namespace="shop"';
  assert.deepEqual(lines, [
    `kubevirt_vm_info{${at},os="debian12",workload="<none>",flavor="<none>",machine_type="q35",instance_type="small",preference="<none>",status="Running",status_group="running"} 1`,
    'kubevirt_number_of_vms{namespace="shop"} 1',
    `kubevirt_vm_create_date_timestamp_seconds{${at}} 1767225600`,
    `kubevirt_vm_resource_requests{${at},resource="memory",unit="bytes",source="guest"} 1073741824`,
    `kubevirt_vm_resource_requests{${at},resource="cpu",unit="cores",source="domain"} 2`,
    `kubevirt_vm_starting_status_last_transition_timestamp_seconds{${at}} 0`,
    `kubevirt_vm_running_status_last_transition_timestamp_seconds{${at}} 1767225660`,
    `kubevirt_vm_migrating_status_last_transition_timestamp_seconds{${at}} 0`,
    `kubevirt_vm_non_running_status_last_transition_timestamp_seconds{${at}} 0`,
    `kubevirt_vm_error_status_last_transition_timestamp_seconds{${at}} 0`,
    `kubevirt_vmi_non_evictable{${at},node="a"} 1`,
    "kubevirt_vmi_migrations_in_pending_phase 1",
    "kubevirt_vmi_migrations_in_scheduling_phase 0",
    "kubevirt_vmi_migrations_in_running_phase 1",
    'kubevirt_vmi_migration_failed{vmi="till",vmim="c",namespace="shop"} 1',
  ]);
});

test("they are told as they are when asked for, and no more by who acts no longer", async () => {
  const registry = new Registry();
  const list: KubeObject[] = [till];
  const informers: any = {
    get: ({ resource }: any) => ({
      list: () => (resource.resource === "virtualmachines" ? list : []),
    }),
  };
  const scope = new Scope();
  measureMachines(registry, informers, scope);
  assert.match(await registry.metrics(), /kubevirt_number_of_vms\{namespace="shop"\} 1/);
  list.length = 0;
  assert.doesNotMatch(await registry.metrics(), /kubevirt_number_of_vms\{/);
  await scope.close();
  assert.doesNotMatch(await registry.metrics(), /kubevirt/);
});
