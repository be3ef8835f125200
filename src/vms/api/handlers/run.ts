// start, stop, restart
import type { KubeObject } from "../../../kinds/object.ts";
import { isStatus } from "../../../lib/status-error.ts";
import { instances, pods, virtualMachines } from "../../kinds/resources.ts";
import { accepted } from "../handler.ts";
import type { Call, Handler } from "../handler.ts";
import { planRestart, planStart, planStop } from "../run-requests.ts";
import type { Change } from "../run-requests.ts";

async function write(
  { access, namespace, name }: Call,
  vm: KubeObject,
  instance: KubeObject | undefined,
  { spec, requests, graceSeconds, force }: Change,
) {
  const { client } = access;
  const at = { namespace, name };
  if (graceSeconds !== undefined && instance) {
    const patch = { spec: { terminationGracePeriodSeconds: graceSeconds } };
    await client.patch({ ...instances, ...at }, "merge", patch);
  }
  // What the plan rests on is tested by the write itself.
  const same = { op: "test", path: "/metadata/uid", value: vm.metadata.uid };
  if (requests) {
    const known = vm.status?.stateChangeRequests;
    const path = "/status/stateChangeRequests";
    const unchanged = known ? [{ op: "test", path, value: known }] : [];
    const whole = vm.status ? [] : [{ op: "add", path: "/status", value: {} }];
    const patch = [same, ...unchanged, ...whole, { op: "add", path, value: requests }];
    await client.patch({ ...virtualMachines, ...at, subresource: "status" }, "json", patch);
  }
  for (const [field, value] of Object.entries(spec ?? {})) {
    const path = `/spec/${field}`;
    const patch = [
      same,
      { op: "test", path, value: vm.spec[field] },
      { op: "replace", path, value },
    ];
    await client.patch({ ...virtualMachines, ...at }, "json", patch);
  }
  if (!force || !instance) return;
  const pod = await access.podOf(instance);
  const target = { ...pods, namespace, name: pod.metadata.name };
  await client.delete(target, { gracePeriodSeconds: 1 }).catch((error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
  });
}

const changing =
  (plan: (vm: KubeObject, instance: KubeObject | undefined, body: any) => Change): Handler =>
  async (call) => {
    const { access, body, dryRun } = call;
    const vm = await access.machine(call);
    const instance = await access.instanceIfAny(call);
    const change = plan(vm, instance, body);
    if (!dryRun) await write(call, vm, instance, change);
    return accepted;
  };

export const start = changing(planStart);
export const stop = changing(planStop);
export const restart = changing(planRestart);
