// What a DataVolume's source means for the pod that fills its claim. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { isReplicated } from "../replication/record.ts";
import { takerTask } from "./foreign-source.ts";
import { taskPaths } from "./task.ts";
import type { TaskPod } from "./task-pod.ts";
import type { DiskTask } from "./task.ts";

export interface SourceContext {
  dv: KubeObject;
  /** Its own, which is filled. */
  claim: KubeObject;
  /** Of `pvc`. */
  sourceClaim?: KubeObject | undefined;
  /** Where the claim is another namespace's: the pod there that gives its disk away. */
  giver?: { podIP: string; key: string } | undefined;
  bytes: number;
  key: string;
}

type Part = Pick<TaskPod, "image" | "keys" | "headers" | "ca"> & { task: Partial<DiskTask> };

const isBlock = (claim: KubeObject | undefined) => claim?.spec.volumeMode === "Block";

const readers: Record<string, (source: any, context: SourceContext) => Part> = {
  blank: () => ({ task: { kind: "blank" } }),
  upload: () => ({ task: { kind: "upload" } }),
  http: ({ url, checksum, extraHeaders, secretExtraHeaders, secretRef, certConfigMap }) => ({
    task: {
      ...{ kind: "http", url },
      ...(checksum && { checksum }),
      ...(extraHeaders?.length && { headers: extraHeaders }),
    },
    ...(secretRef && { keys: secretRef }),
    ...(secretExtraHeaders?.length && { headers: secretExtraHeaders }),
    ...(certConfigMap && { ca: certConfigMap }),
  }),
  s3: ({ url, secretRef, certConfigMap }) => ({
    task: { kind: "s3", url },
    ...(secretRef && { keys: secretRef }),
    ...(certConfigMap && { ca: certConfigMap }),
  }),
  registry: ({ url }) => ({
    task: { kind: "image" },
    image: { reference: String(url).replace(/^docker:\/\//, "") },
  }),
  pvc: (_, { sourceClaim, giver }) => ({
    task: giver
      ? takerTask(giver.podIP, giver.key)
      : { kind: "copy", sourceBlock: isBlock(sourceClaim) },
  }),
};

const prefixes: Record<string, string> = { upload: "cdi-upload", pvc: "cdi-clone" };

export const sourceKind = (source: any): string =>
  Object.keys(readers).find((kind) => source?.[kind]) ?? "";

/** Of the pod that fills a DataVolume, or a claim. */
export const taskPodName = (filled: { metadata: { name: string } }, kind: string) =>
  `${prefixes[kind] ?? "importer"}-${filled.metadata.name}`.slice(0, 253);

/** `source` is the DataVolume's own, or what its DataSource leads to. */
export function sourceTask(source: any, context: SourceContext): TaskPod {
  const { dv, claim, sourceClaim, bytes, key } = context;
  const kind = sourceKind(source);
  const { task, ...rest } = readers[kind]!(source[kind], context);
  const block = isBlock(claim);
  const target = { claim: claim.metadata.name, block, path: taskPaths.target };
  const from = sourceClaim &&
    !context.giver && {
      ...{ claim: sourceClaim.metadata.name, block: isBlock(sourceClaim), path: taskPaths.source },
      readOnly: true,
    };
  const { priorityClassName, preallocation } = dv.spec;
  return {
    owner: dv,
    name: taskPodName(dv, kind),
    task: {
      ...{ kind: "blank", bytes, block, key },
      ...task,
      ...(preallocation && { preallocation: true }),
    } as DiskTask,
    volumes: [target, ...(from ? [from] : [])],
    ...rest,
    isGated: isReplicated(claim) || (!context.giver && isReplicated(sourceClaim)),
    ...(priorityClassName && { priorityClassName }),
  };
}

/** The claim that a DataVolume asks for. */
export function claimOf(dv: KubeObject, sourceClaim: KubeObject | undefined) {
  const { pvc, storage } = dv.spec;
  const asked = pvc ?? storage;
  const size = asked.resources?.requests?.storage ?? sourceClaim?.spec.resources?.requests?.storage;
  return {
    accessModes: ["ReadWriteOnce"],
    ...asked,
    resources: { ...asked.resources, requests: { ...asked.resources?.requests, storage: size } },
  };
}
