// Values of an object at the site that the hub asked to see. Pure.
import { isObject } from "../../lib/json.ts";
import { isJsonPath, jsonPath } from "../../lib/json-path.ts";

export interface FeedbackValue {
  name: string;
  fieldValue: {
    type: string;
    integer?: number;
    string?: string;
    boolean?: boolean;
    jsonRaw?: string;
  };
}

/** Characters that one value may have. */
const valueMax = 1024;

const wellKnown: Record<string, { name: string; path: string }[]> = {
  "apps/Deployment": [
    { name: "ReadyReplicas", path: ".status.readyReplicas" },
    { name: "Replicas", path: ".status.replicas" },
    { name: "AvailableReplicas", path: ".status.availableReplicas" },
  ],
  "apps/DaemonSet": [
    { name: "NumberReady", path: ".status.numberReady" },
    { name: "DesiredNumberScheduled", path: ".status.desiredNumberScheduled" },
    { name: "NumberAvailable", path: ".status.numberAvailable" },
  ],
  "batch/Job": [
    { name: "JobComplete", path: '.status.conditions[?(@.type=="Complete")].status' },
    { name: "JobSucceeded", path: ".status.succeeded" },
  ],
  "/Pod": [
    { name: "PodReady", path: '.status.conditions[?(@.type=="Ready")].status' },
    { name: "PodPhase", path: ".status.phase" },
  ],
};

function fieldValue(found: unknown): FeedbackValue["fieldValue"] | string {
  if (typeof found === "boolean") return { type: "Boolean", boolean: found };
  if (Number.isInteger(found)) return { type: "Integer", integer: found as number };
  if (typeof found === "number") return { type: "String", string: String(found) };
  const text = typeof found === "string" ? found : JSON.stringify(found);
  if (text.length > valueMax) return `has more than ${valueMax} characters`;
  if (typeof found === "string") return { type: "String", string: text };
  if (isObject(found) || Array.isArray(found)) return { type: "JsonRaw", jsonRaw: text };
  return "is no value";
}

interface Asked {
  name: string;
  path: string;
  /** The object's version it is for; absent: any. */
  version?: string;
}

export interface Feedback {
  values: FeedbackValue[];
  /** What could not be read, in words. */
  failures: string[];
}

/** Reads `live` by the rules; one field that is missing does not hide the others. */
export function feedbackOf(live: any, group: string, kind: string, rules: any[] = []): Feedback {
  const feedback: Feedback = { values: [], failures: [] };
  for (const { type, jsonPaths = [] } of rules) {
    const known = wellKnown[`${group}/${kind}`];
    if (type === "WellKnownStatus" && !known) {
      feedback.failures.push(`nothing is well known of the status of ${kind}`);
    }
    const paths: Asked[] = type === "WellKnownStatus" ? (known ?? []) : jsonPaths;
    for (const { name, path, version } of paths) {
      if (version && !String(live?.apiVersion).endsWith(version)) {
        feedback.failures.push(`${name} is asked for in version ${version}`);
        continue;
      }
      if (!isJsonPath(path)) {
        feedback.failures.push(`${name}: ${path} is no JSON path`);
        continue;
      }
      const values = jsonPath(path, live);
      const found = values.length > 1 ? values : values[0];
      // What is not there yet is no failure.
      if (found === undefined || found === null) continue;
      const value = fieldValue(found);
      if (typeof value === "string") feedback.failures.push(`${name} ${value}`);
      else feedback.values.push({ name, fieldValue: value });
    }
  }
  return feedback;
}
