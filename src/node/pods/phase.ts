// A pod's phase from its containers, as kubelet decides it. Pure.
import { hasExited, isRunning } from "./instances.ts";
import type { Instances } from "./instances.ts";
import { isSidecar, restartPolicyOf } from "./pod.ts";
import type { Container, Pod, RestartRule } from "./pod.ts";

export type Phase = "Pending" | "Running" | "Succeeded" | "Failed";

const isTerminal = (phase: unknown): phase is Phase => phase === "Succeeded" || phase === "Failed";

/** A regular init container is done once it ended well in the sandbox in use. */
export function isInitialized(instances: Instances, container: Container): boolean {
  const instance = instances.newest.get(container.name);
  return hasExited(instance) && instance!.exitCode === 0;
}

/** True once a main container was started: init containers then need not run again in this sandbox. */
export const mainsBegun = (pod: Pod, { newest, sandbox }: Instances) =>
  pod.spec.containers.some(({ name }) => {
    const instance = newest.get(name);
    return instance && (instance.sandboxId === sandbox?.id || isRunning(instance));
  });

const ruleMatches = ({ exitCodes }: RestartRule, exitCode: number) =>
  exitCodes !== undefined &&
  (exitCodes.values ?? []).includes(exitCode) === (exitCodes.operator === "In");

/** A container's own rules come first, then its own policy, then the pod's. */
export function willRestart(pod: Pod, container: Container, exitCode: number): boolean {
  const { restartPolicyRules = [], restartPolicy } = container;
  if (restartPolicyRules.some((rule) => ruleMatches(rule, exitCode))) return true;
  const policy = restartPolicy ?? restartPolicyOf(pod);
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

function initFailed(pod: Pod, instances: Instances): boolean {
  if (restartPolicyOf(pod) !== "Never") return false;
  return (pod.spec.initContainers ?? []).some((container) => {
    const instance = instances.newest.get(container.name);
    return !isSidecar(container) && hasExited(instance) && instance!.exitCode !== 0;
  });
}

export function phaseOf(pod: Pod, instances: Instances, ended = false): Phase {
  const before = pod.status?.phase;
  if (isTerminal(before)) return before;
  if (ended || initFailed(pod, instances)) return "Failed";
  const mains = pod.spec.containers.map(({ name }) => instances.newest.get(name));
  if (mains.some((one) => !one || one.state === "created")) return "Pending";
  if (mains.some(isRunning)) return "Running";
  if (pod.spec.containers.some((one, i) => willRestart(pod, one, mains[i]!.exitCode))) {
    return "Running";
  }
  return mains.every((one) => one!.exitCode === 0) ? "Succeeded" : "Failed";
}
