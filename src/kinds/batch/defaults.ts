// Defaults of the batch group that no schema expresses.
import { fill, fillEmpty, podSpecDefaults } from "../core/pod-defaults.ts";
import type { Draft } from "../object.ts";

function failurePolicyDefaults(policy: Record<string, any> | undefined) {
  for (const rule of policy?.["rules"] ?? []) {
    for (const condition of rule.onPodConditions ?? []) fillEmpty(condition, { status: "True" });
  }
}

function jobSpecDefaults(spec: Record<string, any> | undefined) {
  if (!spec) return;
  if (spec["completions"] === undefined && spec["parallelism"] === undefined) {
    fill(spec, { completions: 1, parallelism: 1 });
  }
  fill(spec, {
    parallelism: 1,
    backoffLimit: 6,
    completionMode: "NonIndexed",
    suspend: false,
    manualSelector: false,
    podReplacementPolicy: spec["podFailurePolicy"] ? "Failed" : "TerminatingOrFailed",
  });
  failurePolicyDefaults(spec["podFailurePolicy"]);
  podSpecDefaults(spec["template"]?.spec);
}

export const jobDefaults = ({ spec }: Draft) => jobSpecDefaults(spec);

/**
 * A Job that names no selector gets one that only its own pods match; its uid is known on create alone.
 */
export function jobSelector(job: { metadata: { uid: string; name: string }; spec?: any }) {
  const { spec, metadata } = job;
  if (!spec?.template || spec.manualSelector) return;
  const labels = {
    "batch.kubernetes.io/controller-uid": metadata.uid,
    "batch.kubernetes.io/job-name": metadata.name,
    "controller-uid": metadata.uid,
    "job-name": metadata.name,
  };
  spec.selector = { matchLabels: { "batch.kubernetes.io/controller-uid": metadata.uid } };
  spec.template.metadata = {
    ...spec.template.metadata,
    labels: { ...spec.template.metadata?.labels, ...labels },
  };
}

export function cronJobDefaults({ spec }: Draft) {
  if (!spec) return;
  fillEmpty(spec, { concurrencyPolicy: "Allow" });
  fill(spec, {
    suspend: false,
    successfulJobsHistoryLimit: 3,
    failedJobsHistoryLimit: 1,
  });
  failurePolicyDefaults(spec.jobTemplate?.spec?.podFailurePolicy);
  podSpecDefaults(spec.jobTemplate?.spec?.template?.spec);
}
