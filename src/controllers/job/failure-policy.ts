// `podFailurePolicy`: what a pod's failure means for its Job. The first rule that matches decides.
import type { KubeObject } from "../../kinds/object.ts";
import { conditionOf, hasFailed } from "../pod-state.ts";

export interface FailureVerdict {
  /** Does the failure count towards the back-off limit? */
  counts: boolean;
  action?: "FailJob" | "FailIndex" | "Ignore" | "Count";
  /** Set when the Job is to fail. */
  message?: string;
}

interface ExitCode {
  container: string;
  code: number;
}

function matchingExit(requirement: any, pod: KubeObject): ExitCode | undefined {
  const { containerName, operator, values } = requirement;
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  for (const status of [...containerStatuses, ...initContainerStatuses]) {
    const code: number | undefined = status.state?.terminated?.exitCode;
    if (code === undefined || code === 0) continue;
    if (containerName && containerName !== status.name) continue;
    const listed = values.includes(code);
    if (operator === "In" ? listed : !listed) return { container: status.name, code };
  }
  return undefined;
}

function explain(rule: any, index: number, pod: KubeObject): string | undefined {
  const of = `for pod ${pod.metadata.namespace}/${pod.metadata.name}`;
  const matched = `matching ${rule.action} rule at index ${index}`;
  if (rule.onExitCodes) {
    const exit = matchingExit(rule.onExitCodes, pod);
    return (
      exit && `Container ${exit.container} ${of} failed with exit code ${exit.code} ${matched}`
    );
  }
  for (const pattern of rule.onPodConditions ?? []) {
    const condition = conditionOf(pod, pattern.type);
    if (condition?.status === (pattern.status ?? "True")) {
      return `Pod ${pod.metadata.namespace}/${pod.metadata.name} has condition ${pattern.type} ${matched}`;
    }
  }
  return undefined;
}

export function judgeFailure(job: KubeObject, pod: KubeObject): FailureVerdict {
  const rules: any[] = job.spec.podFailurePolicy?.rules ?? [];
  if (!hasFailed(pod)) return { counts: true };
  for (const [index, rule] of rules.entries()) {
    const message = explain(rule, index, pod);
    if (!message) continue;
    if (rule.action === "FailIndex" && job.spec.backoffLimitPerIndex === undefined) continue;
    if (rule.action === "Ignore") return { counts: false, action: "Ignore" };
    if (rule.action === "FailJob") return { counts: true, action: "FailJob", message };
    return { counts: true, action: rule.action };
  }
  return { counts: true };
}
