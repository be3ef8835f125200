// A Job's pod: tracked by a finalizer, labelled with its Job, and told its index.
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { podFromTemplate } from "../pod-template.ts";
import { indexAnnotation } from "./indexes.ts";
import type { NewPod } from "./plan.ts";
import { failureCountAnnotation, trackingFinalizer } from "./tally.ts";

const indexVariable = {
  name: "JOB_COMPLETION_INDEX",
  valueFrom: { fieldRef: { fieldPath: `metadata.labels['${indexAnnotation}']` } },
};

export function jobPod(job: KubeObject, { index, failures }: NewPod): Draft {
  const pod = podFromTemplate(job, job.spec.template);
  const { metadata } = pod;
  const { name, uid } = job.metadata;
  metadata.labels = {
    ...metadata.labels,
    "batch.kubernetes.io/controller-uid": uid,
    "batch.kubernetes.io/job-name": name,
    "controller-uid": uid,
    "job-name": name,
  };
  metadata.finalizers = [...(metadata.finalizers ?? []), trackingFinalizer];
  if (index === undefined) return pod;
  const { spec } = pod as Draft & { spec: any };
  metadata.generateName = `${name}-${index}-`;
  metadata.labels[indexAnnotation] = String(index);
  metadata.annotations = { ...metadata.annotations, [indexAnnotation]: String(index) };
  if (failures !== undefined) metadata.annotations[failureCountAnnotation] = String(failures);
  spec.hostname = `${name}-${index}`;
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    const others = (container.env ?? []).filter((v: any) => v.name !== indexVariable.name);
    container.env = [...others, indexVariable];
  }
  return pod;
}
