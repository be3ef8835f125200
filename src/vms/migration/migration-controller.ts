// VirtualMachineInstanceMigration: makes a second launcher pod elsewhere, has the source's QEMU send the guest to the
// target's, and then says that the VMI is there. The key that both ends share is passed on and never stored.
import { createHash } from "node:crypto";
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import { byAge, withCondition } from "../../controllers/pod-state.ts";
import type { Condition } from "../../controllers/pod-state.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { controllerOf } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import type { NodeConnector } from "../../lib/node-connection.ts";
import { isStatus } from "../../lib/status-error.ts";
import { vmControl } from "../control.ts";
import type { MigrationProgress, MigrationTarget, VmControl } from "../control.ts";
import { claimFacts } from "../instance/claim-facts.ts";
import { currentPod } from "../instance/plan.ts";
import { launcherPod } from "../instance/launcher-pod.ts";
import { boundsOf } from "../instance/launcher-resources.ts";
import {
  claims,
  instances,
  kubeVirts,
  migrations,
  namespaces,
  pods,
  policies,
  quotas,
} from "../kinds/resources.ts";
import { isOver, migrationOptions, outcomeOf, planMigration, postCopyCondition } from "./plan.ts";
import type { MigrationPhase, MigrationState } from "./plan.ts";
import { policyOf, settingsOf } from "./policy.ts";
import { guestAddress, moveAddress } from "./moved-address.ts";

const finalizer = "kubevirt.io/migrationJobFinalize";
const vmiLabel = "kubevirt.io/vmi-name";
const nodeLabel = "kubevirt.io/nodeName";
const jobLabel = "kubevirt.io/migrationJobUID";
const pollMs = 500;
/** QEMUs that are given a new way have found each other by then. */
const recoverMs = 3000;

const suffixOf = ({ uid }: KubeObject["metadata"]) =>
  createHash("sha256").update(uid).digest("hex").slice(0, 5);

class Migration {
  readonly #context: ControllerContext;
  readonly #connect: NodeConnector;
  readonly #migration: KubeObject;
  readonly #namespace: string;

  constructor(migration: KubeObject, context: ControllerContext, connect: NodeConnector) {
    this.#migration = migration;
    this.#context = context;
    this.#connect = connect;
    this.#namespace = migration.metadata.namespace!;
  }

  #state(): MigrationState {
    const { informer } = this.#context;
    const { spec, metadata } = this.#migration;
    const vmi = informer(instances).get(spec.vmiName, this.#namespace);
    const own = informer(pods)
      .list(this.#namespace)
      .filter((pod) => vmi && controllerOf(pod)?.uid === vmi.metadata.uid)
      .sort(byAge);
    const target = own.find((pod) => pod.metadata.labels?.[jobLabel] === metadata.uid);
    const others = own.filter((pod) => pod !== target);
    const ahead = informer(migrations)
      .list(this.#namespace)
      .filter((one) => one.spec.vmiName === spec.vmiName && !isOver(one))
      .sort(byAge);
    return {
      migration: this.#migration,
      vmi,
      target,
      source: vmi && currentPod(vmi, others),
      isBehind: ahead[0] !== undefined && ahead[0].metadata.uid !== metadata.uid,
    };
  }

  async run(key: Key) {
    const state = this.#state();
    const step = planMigration(state);
    switch (step.do) {
      case "wait":
        return this.#context.wakeAfter(key, 1000);
      case "fail":
        return this.#fail(state, step.reason);
      case "phase":
        return this.#write(step.phase);
      case "create target":
        return this.#createTarget(state.vmi!, state.source!);
      case "begin":
        return this.#begin(state, key);
      case "follow":
        return this.#follow(state, key).catch((error: unknown) => this.#wait(state, key, error));
      case "finish":
        return this.#finish(state);
      case "cancel":
        return this.#cancel(state, key);
      case "release":
        return this.#release();
    }
  }

  async #controlOf(pod: KubeObject): Promise<VmControl> {
    return vmControl(await this.#connect(pod.spec.nodeName), pod.metadata.uid);
  }

  async #write(phase: MigrationPhase, migrationState?: object, condition?: Condition) {
    const { client, clock } = this.#context;
    const { metadata, status = {}, spec } = this.#migration;
    const at = { ...migrations, namespace: this.#namespace, name: metadata.name };
    const labels = { [vmiLabel]: spec.vmiName };
    if (!metadata.finalizers?.includes(finalizer) && !metadata.deletionTimestamp) {
      const finalizers = [...(metadata.finalizers ?? []), finalizer];
      await client.patch(at, "merge", { metadata: { finalizers, labels } });
    }
    const phaseTransitionTimestamps = [
      ...(status.phaseTransitionTimestamps ?? []),
      { phase, phaseTransitionTimestamp: timestamp(clock.now()) },
    ];
    const conditions =
      condition && withCondition(status.conditions ?? [], condition, timestamp(clock.now()));
    const next = {
      ...{ phase, phaseTransitionTimestamps },
      ...(migrationState && { migrationState }),
      ...(conditions && { conditions }),
    };
    await client.patch({ ...at, subresource: "status" }, "merge", { status: next });
  }

  /** Written as a whole: whoever else writes at the same time makes this begin again. */
  async #writeVmi(vmi: KubeObject, change: { status: object; labels?: object }) {
    const { namespace, name, labels } = vmi.metadata;
    await this.#context.client.update(
      { ...instances, namespace, name },
      {
        ...vmi,
        metadata: { ...vmi.metadata, labels: { ...labels, ...change.labels } as any },
        status: { ...vmi.status, ...change.status },
      },
    );
  }

  async #createTarget(vmi: KubeObject, source: KubeObject) {
    const { client, informer, event } = this.#context;
    const facts = claimFacts((name) => informer(claims).get(name, this.#namespace));
    const { uid } = this.#migration.metadata;
    const nodeSelector = this.#migration.spec.addedNodeSelector;
    const draft = launcherPod(vmi, {
      ...facts,
      bounds: boundsOf(informer(quotas).list(this.#namespace)),
      migration: {
        ...{ uid, avoidNode: source.spec.nodeName, address: guestAddress(source) },
        ...(nodeSelector && { nodeSelector }),
      },
    });
    const { generateName, ...metadata } = draft.metadata!;
    const name = `${generateName}${suffixOf(this.#migration.metadata)}`;
    await client
      .create(
        { ...pods, namespace: this.#namespace },
        { ...draft, metadata: { ...metadata, name } },
      )
      .catch((error: unknown) => {
        if (!isStatus(error, "AlreadyExists")) throw error;
      });
    event(this.#migration, "Normal", "SuccessfulCreate", `Created migration target pod ${name}`);
    await this.#write("Scheduling");
  }

  /** The cluster's settings (KubeVirt's spec.configuration.migrations), and before them those of a policy. */
  #configuration(vmi: KubeObject) {
    const { informer } = this.#context;
    const kubeVirt = informer(kubeVirts).get("kubevirt", "kubevirt");
    const namespace = informer(namespaces).get(this.#namespace);
    const policy = namespace && policyOf(informer(policies).list(), vmi, namespace);
    const own = settingsOf(policy);
    const configuration = { ...kubeVirt?.spec?.configuration?.migrations, ...own };
    return { configuration, ...(own && { policyName: policy!.metadata.name }) };
  }

  async #begin(state: MigrationState, key: Key) {
    const { clock, event } = this.#context;
    const vmi = state.vmi!;
    const [source, target] = [state.source!, state.target!];
    const [from, to] = await Promise.all([this.#controlOf(source), this.#controlOf(target)]);
    if ((await to.state()).status === "") return this.#context.wakeAfter(key, pollMs);
    const { uid: migrationUid } = this.#migration.metadata;
    const { configuration, policyName } = this.#configuration(vmi);
    const options = migrationOptions(configuration, source);
    const migrationState = {
      migrationUid,
      sourceNode: source.spec.nodeName,
      sourcePod: source.metadata.name,
      targetNode: target.spec.nodeName,
      targetPod: target.metadata.name,
      targetNodeAddress: guestAddress(target),
      startTimestamp: timestamp(clock.now()),
      mode: "PreCopy",
      migrationConfiguration: configuration,
      ...(policyName && { migrationPolicyName: policyName }),
    };
    if (vmi.status.migrationState?.migrationUid !== migrationUid) {
      // Before anything is asked of either end, so that a conflict makes only this begin again.
      await this.#writeVmi(vmi, { status: { migrationState } });
      const what = "Migration target pod is ready for preparation by virt-handler.";
      return event(this.#migration, "Normal", "SuccessfulHandOver", what);
    }
    let way: MigrationTarget;
    try {
      const isPostCopy = options.postCopyAfterMs !== undefined;
      way = await to.prepareMigration(options.copy, isPostCopy);
      const what = "VirtualMachineInstance Migration Target Prepared.";
      event(vmi, "Normal", "PreparingTarget", what);
      await from.migrate(way, options);
    } catch (error) {
      // A node that is away for a moment is asked again.
      if (isStatus(error, "ServiceUnavailable", "Timeout")) throw error;
      return this.#fail(state, (error as Error).message);
    }
    event(vmi, "Normal", "Migrating", "VirtualMachineInstance is migrating.");
    const condition = postCopyCondition(way);
    if (condition) event(vmi, "Warning", "PostCopyUnavailable", condition.message);
    await this.#write("Running", vmi.status.migrationState, condition);
    this.#context.wakeAfter(key, pollMs);
  }

  /** What cannot be cancelled any more goes on to its end. */
  async #cancel(state: MigrationState, key: Key) {
    const control = await this.#controlOf(state.source!);
    try {
      await control.cancelMigration();
    } catch (error) {
      if (!isStatus(error, "Conflict")) throw error;
      if ((await control.migration()).phase !== "none") return this.#follow(state, key);
    }
    return this.#fail(state, "it was cancelled", "Succeeded");
  }

  async #follow(state: MigrationState, key: Key) {
    const control = await this.#controlOf(state.source!);
    let progress = await control.migration();
    if (outcomeOf(progress, state.target) === "moving") {
      progress = await control.migration(progress.phase);
    }
    if (progress.phase === "post-copy") await this.#tellMode(state.vmi!);
    switch (outcomeOf(progress, state.target)) {
      case "moving":
        return this.#context.wakeAfter(key, 0);
      case "interrupted":
        return this.#recover(state, control, key);
      case "forsaken":
        // By its next look it has gone on, or has been there already.
        await control.cancelMigration();
        return this.#fail(state, "the target pod ended");
      case "lost":
        await this.#delete(state.source!, 0);
        return this.#fail(state, progress.error ?? "the guest's QEMU ended where it went");
      case "failed":
        return this.#fail(state, progress.error ?? `the migration is ${progress.phase}`);
      case "there":
        return this.#arrive(state, progress);
    }
  }

  /** A guest that went on elsewhere has no way back: both ends are asked again and again. */
  #wait({ vmi }: MigrationState, key: Key, error: unknown) {
    const isPostCopy = vmi!.status.migrationState?.mode === "PostCopy";
    if (!isPostCopy || !isStatus(error, "ServiceUnavailable", "Timeout")) throw error;
    const why = `An end of the move does not answer (${error.message}); it is asked again.`;
    this.#context.event(vmi!, "Warning", "MigrationInterrupted", why);
    this.#context.wakeAfter(key, recoverMs);
  }

  /** The guest waits at the target. Whoever does not answer is asked again, for as long as both are there. */
  async #recover(state: MigrationState, from: VmControl, key: Key) {
    this.#context.wakeAfter(key, recoverMs);
    const why = "The way between the nodes broke; the guest waits for the rest of its memory.";
    this.#context.event(state.vmi!, "Warning", "MigrationInterrupted", why);
    const to = await this.#controlOf(state.target!);
    await to.recoverMigration();
    await from.resumeMigration();
  }

  async #arrive(state: MigrationState, progress: MigrationProgress) {
    await this.#moveAddress(state);
    const { vmi, target } = state;
    const { clock, event } = this.#context;
    const migrationState = {
      ...vmi!.status.migrationState,
      completed: true,
      endTimestamp: timestamp(clock.now()),
    };
    const nodeName: string = target!.spec.nodeName;
    const status = { nodeName, migrationState };
    await this.#writeVmi(vmi!, { status, labels: { [nodeLabel]: nodeName } });
    const { downtimeMs } = progress;
    const stood = downtimeMs === undefined ? "" : ` It stood still for ${downtimeMs} ms.`;
    event(
      vmi!,
      "Normal",
      "Migrated",
      `The VirtualMachineInstance migrated to node ${nodeName}.${stood}`,
    );
    await this.#finish({ ...state, vmi: { ...vmi!, status: { ...vmi!.status, migrationState } } });
  }

  async #finish({ vmi, source, target }: MigrationState) {
    if (source && source !== target) await this.#delete(source, 1);
    const why = "Source node reported migration succeeded";
    this.#context.event(this.#migration, "Normal", "SuccessfulMigration", why);
    await this.#write("Succeeded", vmi!.status.migrationState);
  }

  async #delete({ metadata: { name, uid } }: KubeObject, gracePeriodSeconds: number) {
    const at = { ...pods, namespace: this.#namespace, name };
    await this.#context.client
      .delete(at, { gracePeriodSeconds, preconditions: { uid } })
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      });
  }

  async #tellMode(vmi: KubeObject) {
    const { migrationState } = vmi.status;
    if (migrationState.mode === "PostCopy") return;
    await this.#writeVmi(vmi, {
      status: { migrationState: { ...migrationState, mode: "PostCopy" } },
    });
  }

  async #moveAddress({ vmi, target }: MigrationState) {
    const through: string | undefined = vmi!.status.migrationState?.targetNodeAddress;
    if (!through) return;
    await moveAddress(this.#context.client, { vmi: vmi!, target: target!, through });
  }

  async #fail({ vmi, target }: MigrationState, failureReason: string, abortStatus = "") {
    const { clock, event } = this.#context;
    if (target) await this.#delete(target, 0);
    const ours = vmi?.status?.migrationState?.migrationUid === this.#migration.metadata.uid;
    const migrationState = {
      ...(ours && vmi!.status.migrationState),
      ...(abortStatus && { abortRequested: true, abortStatus }),
      ...{ completed: true, failed: true, failureReason, endTimestamp: timestamp(clock.now()) },
    };
    if (ours && !vmi!.metadata.deletionTimestamp) {
      await this.#writeVmi(vmi!, { status: { migrationState } });
    }
    event(this.#migration, "Warning", "FailedMigration", failureReason);
    await this.#write("Failed", migrationState);
  }

  async #release() {
    const { finalizers = [], name } = this.#migration.metadata;
    if (!finalizers.includes(finalizer)) return;
    const left = finalizers.filter((one) => one !== finalizer);
    await this.#context.client.patch({ ...migrations, namespace: this.#namespace, name }, "merge", {
      metadata: { finalizers: left.length > 0 ? left : null },
    });
  }
}

/** Migrations of the VMI that a pod or VMI is. */
const ofVmi =
  (nameOf: (object: KubeObject) => string | undefined) =>
  (object: KubeObject, { informer }: ControllerContext): Key[] => {
    const name = nameOf(object);
    if (!name) return [];
    const { namespace } = object.metadata;
    return informer(migrations)
      .list(namespace)
      .filter(({ spec, ...rest }) => spec.vmiName === name && !isOver(rest as KubeObject))
      .map(({ metadata }) => `${namespace}/${metadata.name}`);
  };

export const migrationController = (connect: NodeConnector): Controller => ({
  name: "virtual-machine-instance-migration",
  inputs: [
    { resource: migrations },
    { resource: instances, keys: ofVmi(({ metadata }) => metadata.name) },
    { resource: pods, keys: ofVmi((pod) => pod.metadata.labels?.["vm.kubevirt.io/name"]) },
    { resource: claims, keys: () => [] },
    { resource: kubeVirts, keys: () => [] },
    { resource: quotas, keys: () => [] },
    { resource: namespaces, keys: () => [] },
    { resource: policies, keys: () => [] },
  ],
  outputs: [migrations, instances, pods],
  // Each waits for the next word of a migration.
  workers: 16,
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const migration = context.informer(migrations).get(name, namespace);
    if (migration) await new Migration(migration, context, connect).run(key);
  },
});
