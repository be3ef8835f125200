// Defaults of the apps group that no schema expresses.
import { fill, fillEmpty, podSpecDefaults } from "../core/pod-defaults.ts";
import { persistentVolumeClaimDefaults } from "../core/defaults.ts";
import type { Draft } from "../object.ts";

export function deploymentDefaults({ spec }: Draft) {
  if (!spec) return;
  fill(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600, strategy: {} });
  fillEmpty(spec.strategy, { type: "RollingUpdate" });
  if (spec.strategy.type === "RollingUpdate") {
    spec.strategy.rollingUpdate ??= {};
    fill(spec.strategy.rollingUpdate, { maxUnavailable: "25%", maxSurge: "25%" });
  }
  podSpecDefaults(spec.template?.spec);
}

export function replicaSetDefaults({ spec }: Draft) {
  if (!spec) return;
  fill(spec, { replicas: 1 });
  podSpecDefaults(spec.template?.spec);
}

export function daemonSetDefaults({ spec }: Draft) {
  if (!spec) return;
  fill(spec, { revisionHistoryLimit: 10, updateStrategy: {} });
  fillEmpty(spec.updateStrategy, { type: "RollingUpdate" });
  if (spec.updateStrategy.type === "RollingUpdate") {
    spec.updateStrategy.rollingUpdate ??= {};
    fill(spec.updateStrategy.rollingUpdate, { maxUnavailable: 1, maxSurge: 0 });
  }
  podSpecDefaults(spec.template?.spec);
}

export function statefulSetDefaults({ spec }: Draft) {
  if (!spec) return;
  fill(spec, {
    replicas: 1,
    revisionHistoryLimit: 10,
    updateStrategy: {},
    persistentVolumeClaimRetentionPolicy: {},
  });
  fillEmpty(spec, { podManagementPolicy: "OrderedReady" });
  fillEmpty(spec.updateStrategy, { type: "RollingUpdate" });
  if (spec.updateStrategy.type === "RollingUpdate") {
    spec.updateStrategy.rollingUpdate ??= {};
    fill(spec.updateStrategy.rollingUpdate, { partition: 0 });
  }
  fillEmpty(spec.persistentVolumeClaimRetentionPolicy, {
    whenDeleted: "Retain",
    whenScaled: "Retain",
  });
  for (const claim of spec.volumeClaimTemplates ?? []) {
    fill(claim, { apiVersion: "v1", kind: "PersistentVolumeClaim" });
    persistentVolumeClaimDefaults(claim);
  }
  podSpecDefaults(spec.template?.spec);
}
