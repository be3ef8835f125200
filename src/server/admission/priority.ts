// A pod's priority is a number that comes from its PriorityClass, and from nowhere else.
import type { KubeObject } from "../../kinds/object.ts";
import type { Admission, AdmissionRequest } from "../policy.ts";
import type { ObjectReader } from "./object-reader.ts";
import { isAbout, refuse } from "./refuse.ts";

const prefix = "priorityclasses.scheduling.k8s.io/";

async function defaultClass(reader: ObjectReader): Promise<KubeObject | undefined> {
  const defaults = (await reader.list(prefix)).filter((one) => one["globalDefault"]);
  // Two can stand there for a moment, when two writers raced: the lower one, as upstream.
  return defaults.sort((a, b) => a["value"] - b["value"])[0];
}

async function classOf(reader: ObjectReader, request: AdmissionRequest) {
  const name = request.object!.spec.priorityClassName;
  if (!name) return defaultClass(reader);
  const found = await reader.get(prefix + name);
  if (!found) throw refuse(request, `no PriorityClass with name ${name} was found`);
  return found;
}

async function prioritize(reader: ObjectReader, request: AdmissionRequest) {
  const pod = request.object!;
  const { spec } = pod;
  const priorityClass = await classOf(reader, request);
  const priority = priorityClass?.["value"] ?? 0;
  const policy = priorityClass?.["preemptionPolicy"] ?? "PreemptLowerPriority";
  if (spec.priority !== undefined && spec.priority !== priority) {
    throw refuse(
      request,
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; ` +
        `priority admission controller computed ${priority} from the given PriorityClass name`,
    );
  }
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
    throw refuse(
      request,
      `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in ` +
        `pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
    );
  }
  pod.spec = {
    ...spec,
    ...(priorityClass && { priorityClassName: priorityClass.metadata.name }),
    priority,
    preemptionPolicy: policy,
  };
}

export const priority = (reader: ObjectReader): Admission => ({
  name: "Priority",
  async mutate(request) {
    if (!isAbout(request, "pods")) return;
    if (request.operation === "CREATE") await prioritize(reader, request);
    if (request.operation !== "UPDATE") return;
    const { priority: number, preemptionPolicy } = request.old!.spec;
    const kept = { ...(number !== undefined && { priority: number }) };
    request.object!.spec = {
      ...kept,
      ...(preemptionPolicy !== undefined && { preemptionPolicy }),
      ...request.object!.spec,
    };
  },
  async validate(request) {
    const { object, operation } = request;
    const writes = operation === "CREATE" || operation === "UPDATE";
    if (!writes || !isAbout(request, "priorityclasses.scheduling.k8s.io")) return;
    if (!object!["globalDefault"]) return;
    const present = await defaultClass(reader);
    if (!present || present.metadata.name === object!.metadata.name) return;
    throw refuse(
      request,
      `PriorityClass ${present.metadata.name} is already marked as default. Only one default can exist`,
    );
  },
});
