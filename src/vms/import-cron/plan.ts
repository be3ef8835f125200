// DataImportCron, decided: whether its registry is asked now, what is imported, which import its DataSource leads to,
// and which imports are kept no longer. Pure.
import { withCondition } from "../../controllers/pod-state.ts";
import type { Condition } from "../../controllers/pod-state.ts";
import type { Schedule } from "../../lib/cron-schedule.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";

/** Of a cron: what its image was when the registry was asked last; people may set it, too. */
export const desiredDigest = "cdi.kubevirt.io/storage.import.sourceDesiredDigest";
/** Of what it made: its name. */
export const cronLabel = "cdi.kubevirt.io/dataImportCron";

const importsToKeepDefault = 3;
const digestChars = 12;
/** After a registry that did not answer. */
const retryMs = 60_000;

export interface CronSeen {
  cron: KubeObject;
  /** Those with its label. */
  dataVolumes: KubeObject[];
  /** Undefined where it is only filled by its annotation. */
  schedule?: Schedule | undefined;
  /** Why the registry gave no digest, when it was just asked. */
  trouble?: string | undefined;
  now: number;
}

export interface CronPlan {
  /** The import to make. */
  create?: { name: string; digest: string };
  delete: KubeObject[];
  /** The import that the DataSource leads to from now on. */
  source?: string;
  status: any;
}

/** When the registry is to be asked: at once where it never was, else as the schedule says. */
export function nextPoll({ cron, schedule }: Pick<CronSeen, "cron" | "schedule">) {
  const last = Date.parse(cron.status?.lastExecutionTimestamp ?? "");
  if (!schedule) return undefined;
  return Number.isNaN(last) ? 0 : schedule.next(last);
}

/** How long until it is asked again; undefined where it never is. */
export function waitMs(seen: CronSeen): number | undefined {
  if (seen.trouble) return retryMs;
  const next = nextPoll(seen);
  return next === undefined ? undefined : Math.max(0, next - seen.now);
}

export const importName = (cron: KubeObject, digest: string) =>
  `${cron.spec.managedDataSource}-${digest.replace(/^sha256:/, "").slice(0, digestChars)}`;

interface Words {
  progressing: [Condition["status"], string, string];
  upToDate: [Condition["status"], string, string];
}

function wordsOf(dv: KubeObject | undefined, isNamed: boolean, trouble?: string): Words {
  if (!isNamed) {
    const why = trouble ?? "No source digest";
    return {
      progressing: ["False", "NoImport", "No current import"],
      upToDate: ["False", "NoDigest", why],
    };
  }
  const phase: string = dv?.status?.phase ?? "Pending";
  if (phase === "Succeeded") {
    return {
      progressing: ["False", "NoImport", "No current import"],
      upToDate: ["True", "UpToDate", "Latest import is up to date"],
    };
  }
  const progressing: Words["progressing"] =
    phase === "ImportInProgress"
      ? ["True", "ImportProgressing", "Import is progressing"]
      : ["False", phase, `Import DataVolume phase ${phase}`];
  return { progressing, upToDate: ["False", "Outdated", "Import is outdated"] };
}

function conditionsOf(before: Condition[] = [], words: Words, now: number): Condition[] {
  const entries = { Progressing: words.progressing, UpToDate: words.upToDate };
  return Object.entries(entries).reduce<Condition[]>(
    (list, [type, [status, reason, message]]) =>
      withCondition(list, { type, status, reason, message }, timestamp(now)),
    before,
  );
}

/** Of what succeeded, the oldest beyond those to keep; the one in use is none of them. */
function outdated({ cron, dataVolumes }: CronSeen, current: string): KubeObject[] {
  const { garbageCollect = "Outdated", importsToKeep = importsToKeepDefault } = cron.spec;
  if (garbageCollect === "Never") return [];
  const isOlder = (a: KubeObject, b: KubeObject) =>
    b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp);
  const others = dataVolumes
    .filter(({ metadata }) => metadata.name !== current && !metadata.deletionTimestamp)
    .sort(isOlder);
  return others.slice(Math.max(0, importsToKeep - 1));
}

export function planCron(seen: CronSeen): CronPlan {
  const { cron, dataVolumes, trouble, now } = seen;
  const { status = {}, metadata } = cron;
  const digest = metadata.annotations?.[desiredDigest];
  const name = digest && importName(cron, digest);
  const dv = dataVolumes.find((one) => one.metadata.name === name);
  const isDone = dv?.status?.phase === "Succeeded";
  const words = wordsOf(dv, Boolean(digest), trouble);
  const isNew = isDone && status.lastImportedPVC?.name !== name;
  const next = {
    ...status,
    ...(digest && { currentImports: [{ DataVolumeName: name, Digest: digest }] }),
    ...(isNew && {
      lastImportedPVC: { namespace: metadata.namespace, name },
      lastImportTimestamp: timestamp(now),
    }),
    sourceFormat: "pvc",
    conditions: conditionsOf(status.conditions, words, now),
  };
  return {
    ...(digest && name && !dv && { create: { name, digest } }),
    ...(isDone && { source: name! }),
    delete: isDone ? outdated(seen, name!) : [],
    status: next,
  };
}

/** The DataVolume that imports what the cron's template names, as it is by this digest. Pure. */
export function importVolume(cron: KubeObject, { name, digest }: { name: string; digest: string }) {
  const { metadata = {}, spec } = cron.spec.template;
  const url = String(spec.source.registry.url).replace(/@sha256:[0-9a-f]+$/, "");
  const isPort = url.lastIndexOf(":") < url.lastIndexOf("/");
  const bare = isPort ? url : url.slice(0, url.lastIndexOf(":"));
  return {
    apiVersion: "cdi.kubevirt.io/v1beta1",
    kind: "DataVolume",
    metadata: {
      name,
      labels: { ...metadata.labels, [cronLabel]: cron.metadata.name },
      annotations: { ...metadata.annotations },
    },
    spec: { ...spec, source: { registry: { ...spec.source.registry, url: `${bare}@${digest}` } } },
  };
}
