// VirtualMachine: makes and ends the instance as the run strategy and people's requests say, makes the DataVolumes
// of its templates, and tells how it is.
import { keyOf } from "../../client/cache.ts";
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import { controllerOf } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import { invalid, isStatus } from "../../lib/status-error.ts";
import { expand } from "../instancetype/expand.ts";
import { inferSizing } from "../instancetype/infer.ts";
import { keepSizing, sizingOf } from "../instancetype/sizing.ts";
import {
  claims,
  controllerRevisions,
  dataVolumes,
  instances,
  virtualMachines,
} from "../kinds/resources.ts";
import { claimNames, dataVolumeNames, dataVolumeOf, templateNames } from "./data-volumes.ts";
import { instanceOf } from "./instance-of.ts";
import { planMachine } from "./plan.ts";
import type { MachinePlan } from "./plan.ts";
import { rollOut } from "./roll-out.ts";
import { isFinal } from "./run-strategy.ts";
import { keepStartRevision } from "./start-revision.ts";
import { machineStatus } from "./status.ts";

const finalizer = "kubevirt.io/virtualMachineControllerFinalize";
/** Machines by what they wait for, `namespace/name`. */
const byClaim = "by-claim";

class Reconciliation {
  readonly #vm: KubeObject;
  readonly #context: ControllerContext;
  readonly #at: { namespace: string; name: string };
  #failure: { reason: string; message: string } | undefined;

  constructor(vm: KubeObject, context: ControllerContext) {
    this.#vm = vm;
    this.#context = context;
    this.#at = { namespace: vm.metadata.namespace!, name: vm.metadata.name };
  }

  async run(key: Key) {
    const { informer } = this.#context;
    const vm = this.#vm;
    const { namespace, name } = this.#at;
    const { finalizers = [], deletionTimestamp } = vm.metadata;
    if (!deletionTimestamp && !finalizers.includes(finalizer)) {
      return this.#patch({ metadata: { finalizers: [...finalizers, finalizer] } });
    }
    const found = informer(instances).get(name, namespace);
    const own = found && controllerOf(found)?.uid === vm.metadata.uid ? found : undefined;
    if (deletionTimestamp && !found) return this.#release();
    const inferred = await this.#try("FailedInferInstancetype", () =>
      inferSizing(this.#context.client, vm),
    );
    if (inferred) return this.#patch({ spec: inferred });
    const volumes = deletionTimestamp ? [] : await this.#tendDataVolumes();
    const { plan, refs } = await this.#plan(own, volumes);
    if (plan.strategy) return this.#setStrategy(plan.strategy);
    // Another's instance of this name keeps ours from starting; its going wakes us.
    if (!found || own) await this.#act(plan, own);
    const restart = own && !isFinal(own) ? await this.#rollOut(own) : undefined;
    await this.#writeStatus({ plan, instance: own, volumes, refs, restart });
    if (plan.wakeAfterMs !== undefined) this.#context.wakeAfter(key, plan.wakeAfterMs);
    if (this.#failure) this.#context.wakeAfter(key, 10_000);
  }

  async #plan(own: KubeObject | undefined, volumes: KubeObject[]) {
    const made = new Set(volumes.map(({ metadata }) => metadata.name));
    const missing = templateNames(this.#vm).some((name) => !made.has(name));
    const { snapshotInProgress, restoreInProgress } = this.#vm.status ?? {};
    const disksReady =
      !missing &&
      !snapshotInProgress &&
      !restoreInProgress &&
      volumes.every(({ status }) => status?.phase === "Succeeded");
    const plan = planMachine(this.#vm, own, { now: this.#context.clock.now(), disksReady });
    const refs = this.#vm.metadata.deletionTimestamp
      ? {}
      : await this.#try("FailedFindInstancetype", () => keepSizing(this.#context.client, this.#vm));
    return { plan, refs: refs ?? {} };
  }

  /** Undefined after a failure that people can mend, which is told. */
  async #try<T>(reason: string, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (!isStatus(error, "NotFound", "BadRequest", "Invalid", "Forbidden")) throw error;
      this.#failure ??= { reason, message: error.message };
      this.#context.event(this.#vm, "Warning", reason, error.message);
      return undefined;
    }
  }

  async #act(plan: MachinePlan, own: KubeObject | undefined) {
    const { client, event } = this.#context;
    if (plan.stop && own) {
      const { uid } = own.metadata;
      await client.delete({ ...instances, ...this.#at }, { preconditions: { uid } }).catch(gone);
      const what = "Stopped the virtual machine by deleting the virtual machine instance";
      event(this.#vm, "Normal", "SuccessfulDelete", `${what} ${uid}`);
    }
    const { start } = plan;
    if (start) await this.#try("FailedCreate", () => this.#create(start));
  }

  async #create(start: { paused: boolean }) {
    const { client, event } = this.#context;
    const { namespace, name } = this.#at;
    const live = await client.get({ ...virtualMachines, ...this.#at });
    const expanded = expand(this.#vm.spec.template.spec, await sizingOf(client, live));
    if (expanded.errors.length > 0) {
      throw invalid("VirtualMachine", "kubevirt.io", name, expanded.errors);
    }
    const revision = await keepStartRevision(client, this.#vm);
    const draft = instanceOf(this.#vm, expanded, { ...start, revision });
    const made = await client.create({ ...instances, namespace }, draft).catch((error: unknown) => {
      // Ours, not in the cache yet, or a stranger's.
      if (!isStatus(error, "AlreadyExists")) throw error;
    });
    if (!made) return;
    const what = "Started the virtual machine by creating the new virtual machine instance";
    event(this.#vm, "Normal", "SuccessfulCreate", `${what} ${name}`);
  }

  #rollOut(own: KubeObject) {
    if (this.#vm.metadata.deletionTimestamp) return undefined;
    return this.#try("FailedFindInstancetype", () => rollOut(this.#context.client, this.#vm, own));
  }

  /** Those that exist, after the missing ones of the templates were made. */
  async #tendDataVolumes(): Promise<KubeObject[]> {
    const { client, informer, event } = this.#context;
    const { namespace } = this.#at;
    const known = informer(dataVolumes);
    for (const template of this.#vm.spec.dataVolumeTemplates ?? []) {
      const name = template.metadata?.name;
      if (!name || known.get(name, namespace)) continue;
      // A claim that is filled already, as after a restore, needs none.
      if (informer(claims).get(name, namespace)) continue;
      const made = await this.#try("FailedDataVolumeCreate", () =>
        client.create({ ...dataVolumes, namespace }, dataVolumeOf(this.#vm, template)),
      ).catch(exists);
      if (made)
        event(this.#vm, "Normal", "SuccessfulDataVolumeCreate", `Created DataVolume ${name}`);
    }
    return dataVolumeNames(this.#vm).flatMap((name) => known.get(name, namespace) ?? []);
  }

  async #writeStatus(seen: {
    plan: MachinePlan;
    instance: KubeObject | undefined;
    volumes: KubeObject[];
    refs: object;
    restart: string | undefined;
  }) {
    const { client, clock, informer } = this.#context;
    const { namespace } = this.#at;
    const there = (name: string) => informer(claims).get(name, namespace) !== undefined;
    const made = new Set(dataVolumeNames(this.#vm));
    const missingClaims = claimNames(this.#vm.spec.template.spec).filter(
      (name) => !made.has(name) && !there(name),
    );
    const { volumes, ...rest } = seen;
    const status = machineStatus({
      ...rest,
      ...{ vm: this.#vm, dataVolumes: volumes, missingClaims, failure: this.#failure },
      claim: (name) => informer(claims).get(name, namespace),
      now: clock.now(),
    });
    if (jsonEqual(status, this.#vm.status)) return;
    const target = { ...virtualMachines, ...this.#at, subresource: "status" };
    await client.update(target, { ...this.#vm, status });
  }

  async #setStrategy(runStrategy: string) {
    await this.#patch({ spec: { runStrategy, running: null } });
  }

  async #release() {
    const { finalizers = [] } = this.#vm.metadata;
    if (!finalizers.includes(finalizer)) return;
    await this.#patch({ metadata: { finalizers: finalizers.filter((one) => one !== finalizer) } });
  }

  async #patch({ metadata, spec }: { metadata?: object; spec?: object }) {
    const { uid, resourceVersion } = this.#vm.metadata;
    const patch = { metadata: { uid, resourceVersion, ...metadata }, ...(spec && { spec }) };
    await this.#context.client
      .patch({ ...virtualMachines, ...this.#at }, "merge", patch)
      .catch(gone);
  }
}

function gone(error: unknown) {
  if (!isStatus(error, "NotFound")) throw error;
}

function exists(error: unknown): undefined {
  if (!isStatus(error, "AlreadyExists")) throw error;
}

const ofSameName = (object: KubeObject): Key[] => [keyOf(object)];

/** Machines that wait for a claim or DataVolume of this name. */
const waiting = (object: KubeObject, context: ControllerContext): Key[] =>
  context.informer(virtualMachines).byIndex(byClaim, keyOf(object)).map(keyOf);

export const machineController: Controller = {
  name: "virtual-machine",
  inputs: [
    { resource: virtualMachines },
    { resource: instances, keys: ofSameName },
    { resource: dataVolumes, keys: waiting },
    { resource: claims, keys: waiting },
  ],
  outputs: [
    virtualMachines,
    { ...virtualMachines, resource: "virtualmachines/status" },
    instances,
    dataVolumes,
    controllerRevisions,
  ],
  start({ informer }) {
    informer(virtualMachines).addIndex(byClaim, (vm) =>
      [...claimNames(vm.spec.template.spec), ...templateNames(vm)].map(
        (name) => `${vm.metadata.namespace}/${name}`,
      ),
    );
  },
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const vm = context.informer(virtualMachines).get(name, namespace);
    if (vm) await new Reconciliation(vm, context).run(key);
  },
};
