// Rules that are there from the start. People change them; only one that is missing is made again.
import type { Client } from "../../client/client.ts";
import type { AlarmRule } from "../kinds/alarm-rule.ts";
import { alarmRules } from "../kinds/fleet.ts";
import { hubGroup } from "../names.ts";
import { isStatus } from "../../lib/status-error.ts";

type Spec = AlarmRule["spec"];

const pressure = (of: string): Spec => ({
  id: `Node${of}Pressure`,
  severity: "major",
  kind: "Node",
  condition: { type: `${of}Pressure`, statuses: ["True"] },
  managementAffecting: true,
  repair: `Free some of the node's ${of.toLowerCase()}, or move pods to another node.`,
});

const ofSites: Record<string, Spec> = {
  "node-not-ready": {
    id: "NodeNotReady",
    severity: "critical",
    kind: "Node",
    condition: { type: "Ready", statuses: ["False", "Unknown"] },
    forSeconds: 60,
    managementAffecting: true,
    repair: "See the node's conditions with kubectl describe; is the machine on, and its link up?",
  },
  "node-disk-pressure": pressure("Disk"),
  "node-memory-pressure": pressure("Memory"),
  "deployment-unavailable": {
    id: "DeploymentUnavailable",
    severity: "major",
    group: "apps",
    kind: "Deployment",
    condition: { type: "Available", statuses: ["False"] },
    forSeconds: 300,
    repair: "See why its pods are not ready with kubectl describe.",
  },
  "job-failed": {
    id: "JobFailed",
    severity: "minor",
    group: "batch",
    kind: "Job",
    condition: { type: "Failed", statuses: ["True"] },
    repair: "See the logs of its pods; delete the Job when it is understood.",
  },
};

const ofHubs: Record<string, Spec> = {
  "site-unreachable": {
    id: "SiteUnreachable",
    severity: "critical",
    group: hubGroup,
    kind: "ManagedCluster",
    condition: { type: "ManagedClusterConditionAvailable", statuses: ["False", "Unknown"] },
    // A rollout would wait for it as one of the few that may be at work at once.
    managementAffecting: true,
    repair: "Is the site on, and its link up? It goes on by itself meanwhile.",
  },
  "work-not-applied": {
    id: "WorkNotApplied",
    severity: "minor",
    group: "work.open-cluster-management.io",
    kind: "ManifestWork",
    condition: { type: "Applied", statuses: ["False"] },
    forSeconds: 60,
    repair: "See the conditions of the work's manifests for why the site refuses them.",
  },
};

export type RulesOf = "site" | "hub";

export async function ensureRules(client: Client, of: RulesOf) {
  // A hub has nodes of its own.
  const rules = of === "hub" ? { ...ofSites, ...ofHubs } : ofSites;
  const apiVersion = `${alarmRules.group}/${alarmRules.version}`;
  for (const [name, spec] of Object.entries(rules)) {
    const draft = { apiVersion, kind: "AlarmRule", metadata: { name }, spec };
    await client.create(alarmRules, draft).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists")) throw error;
    });
  }
}
