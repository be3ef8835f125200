// The one word that `kubectl get vm` shows. The first that fits is said. Pure.
import { conditionOf } from "../../controllers/pod-state.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isFinal, runStrategyOf } from "./run-strategy.ts";
import type { StartFailure } from "./plan.ts";

export interface Seen {
  vm: KubeObject;
  instance: KubeObject | undefined;
  /** Of its templates and volumes, as far as they exist. */
  dataVolumes: KubeObject[];
  /** Claims that its volumes name and nobody has made. */
  missingClaims: string[];
  startFailure: StartFailure | undefined;
}

const phaseOf = (object: KubeObject): string => object.status?.phase ?? "";
const says = (instance: KubeObject | undefined, type: string, status: string, reason?: RegExp) => {
  const found = instance && conditionOf(instance, type);
  return found?.status === status && (!reason || reason.test(found.reason ?? ""));
};
const leaving = (object: KubeObject | undefined) => Boolean(object?.metadata.deletionTimestamp);
const migrates = (instance: KubeObject) => {
  const state = instance.status?.migrationState;
  return Boolean(state?.startTimestamp && !state.completed && !state.failed);
};
const isStarting = (instance: KubeObject) =>
  ["", "Pending", "Scheduling", "Scheduled"].includes(phaseOf(instance));
const isDataVolumeWaiting = ({ status }: KubeObject) =>
  ["WaitForFirstConsumer", "PendingPopulation"].includes(status?.phase);
const isProvisioning = (one: KubeObject) =>
  !["Succeeded", "Failed", "WaitForFirstConsumer", "PendingPopulation"].includes(phaseOf(one));
const willStart = (vm: KubeObject) => {
  const asked = vm.status?.stateChangeRequests?.[0]?.action === "Start";
  const strategy = runStrategyOf(vm);
  const isNew = vm.status?.runStrategy !== strategy;
  if (asked || strategy === "Always") return true;
  return isNew && ["RerunOnFailure", "Once"].includes(strategy);
};

/** With no instance or one that has not begun, disks may be what it waits for. */
const waits = ({ vm, instance }: Seen) => (instance ? isStarting(instance) : willStart(vm));

const words: [string, (seen: Seen) => boolean][] = [
  ["Terminating", ({ vm }) => leaving(vm)],
  ["Stopping", ({ instance }) => leaving(instance) && !isFinal(instance!)],
  ["Migrating", ({ instance }) => instance !== undefined && migrates(instance)],
  ["Paused", ({ instance }) => Boolean(says(instance, "Paused", "True"))],
  ["Running", ({ instance }) => instance !== undefined && phaseOf(instance) === "Running"],
  ["ErrorPvcNotFound", (seen) => waits(seen) && seen.missingClaims.length > 0],
  ["DataVolumeError", ({ dataVolumes }) => dataVolumes.some((one) => phaseOf(one) === "Failed")],
  [
    "ErrorUnschedulable",
    ({ instance }) => Boolean(says(instance, "PodScheduled", "False", /^Unschedulable$/)),
  ],
  ["Provisioning", ({ dataVolumes }) => dataVolumes.some(isProvisioning)],
  ["WaitingForVolumeBinding", (seen) => waits(seen) && seen.dataVolumes.some(isDataVolumeWaiting)],
  [
    "ErrImagePull",
    ({ instance }) => Boolean(says(instance, "Synchronized", "False", /^ErrImagePull$/)),
  ],
  [
    "ImagePullBackOff",
    ({ instance }) => Boolean(says(instance, "Synchronized", "False", /^ImagePullBackOff$/)),
  ],
  ["Starting", ({ instance }) => instance !== undefined && isStarting(instance)],
  [
    "CrashLoopBackOff",
    ({ vm, instance, startFailure }) =>
      !["Halted", "Manual"].includes(runStrategyOf(vm)) &&
      startFailure !== undefined &&
      (!instance || isFinal(instance)),
  ],
  ["Starting", (seen) => !seen.instance && willStart(seen.vm)],
  ["Stopped", ({ instance }) => !instance || isFinal(instance)],
];

export const printableStatus = (seen: Seen): string =>
  words.find(([, fits]) => fits(seen))?.[0] ?? "Unknown";
