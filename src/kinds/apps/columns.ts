// What `kubectl get` shows of workloads.
import { age, containerColumns, count, name, orNone, selectorText, text, wide } from "../column.ts";
import { humanDuration } from "../../lib/human-duration.ts";
import { ago } from "../column.ts";
import type { Column } from "../kind.ts";
import type { KubeObject } from "../object.ts";
import { controllerOf } from "../object.ts";

const template = ({ spec }: KubeObject) => spec.template;
const selector = wide(text("Selector", ({ spec }) => selectorText(spec.selector)));
const status = (field: string) => (object: KubeObject) =>
  object.status?.[field] as number | undefined;
const outOf = (field: string) => (object: KubeObject) =>
  `${object.status?.[field] ?? 0}/${object.spec.replicas ?? 1}`;

const condition = (job: KubeObject, type: string) =>
  job.status?.conditions?.some((c: any) => c.type === type && c.status === "True");

function jobStatus(job: KubeObject): string {
  if (condition(job, "Complete")) return "Complete";
  if (condition(job, "Failed")) return "Failed";
  if (job.metadata.deletionTimestamp) return "Terminating";
  if (condition(job, "Suspended")) return "Suspended";
  if (condition(job, "FailureTarget")) return "FailureTarget";
  return condition(job, "SuccessCriteriaMet") ? "SuccessCriteriaMet" : "Running";
}

function completions({ spec, status: now }: KubeObject): string {
  const done = now?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${done}/${spec.completions}`;
  return (spec.parallelism ?? 1) > 1 ? `${done}/1 of ${spec.parallelism}` : `${done}/1`;
}

function jobDuration(job: KubeObject, now: number): string {
  const { startTime, completionTime } = job.status ?? {};
  if (!startTime) return "";
  const end = completionTime ? Date.parse(completionTime) : now;
  return humanDuration(end - Date.parse(startTime));
}

export const appsColumns: Record<string, Column[]> = {
  "controllerrevisions.apps": [
    name,
    text("Controller", (object) => {
      const owner = controllerOf(object);
      if (!owner) return orNone(undefined);
      const group = owner.apiVersion.split("/")[0];
      return `${owner.kind.toLowerCase()}.${group}/${owner.name}`;
    }),
    count("Revision", (object) => object["revision"]),
    age,
  ],
  "daemonsets.apps": [
    name,
    count("Desired", status("desiredNumberScheduled")),
    count("Current", status("currentNumberScheduled")),
    count("Ready", status("numberReady")),
    count("Up-to-date", status("updatedNumberScheduled")),
    count("Available", status("numberAvailable")),
    text("Node Selector", ({ spec }) =>
      orNone(
        Object.entries(spec.template.spec.nodeSelector ?? {})
          .map(([k, v]) => `${k}=${v}`)
          .join(","),
      ),
    ),
    age,
    ...containerColumns(template),
    selector,
  ],
  "deployments.apps": [
    name,
    text("Ready", outOf("readyReplicas")),
    count("Up-to-date", status("updatedReplicas")),
    count("Available", status("availableReplicas")),
    age,
    ...containerColumns(template),
    selector,
  ],
  "replicasets.apps": [
    name,
    count("Desired", ({ spec }) => spec.replicas),
    count("Current", status("replicas")),
    count("Ready", status("readyReplicas")),
    age,
    ...containerColumns(template),
    selector,
  ],
  "statefulsets.apps": [
    name,
    text("Ready", outOf("readyReplicas")),
    age,
    ...containerColumns(template),
  ],
  "cronjobs.batch": [
    name,
    text("Schedule", ({ spec }) => spec.schedule),
    text("Timezone", ({ spec }) => orNone(spec.timeZone)),
    text("Suspend", ({ spec }) => (spec.suspend ? "True" : "False")),
    count("Active", (object) => object.status?.active?.length),
    text("Last Schedule", (object, now) =>
      object.status?.lastScheduleTime
        ? ago(object.status.lastScheduleTime, now)
        : orNone(undefined),
    ),
    age,
    ...containerColumns(({ spec }) => spec.jobTemplate?.spec?.template),
  ],
  "jobs.batch": [
    name,
    text("Status", jobStatus),
    text("Completions", completions),
    text("Duration", jobDuration),
    age,
    ...containerColumns(template),
    selector,
  ],
};
