// DataImportCron: asks a registry when its schedule says so, imports what is new, and has a DataSource lead there.
import { controllerReference } from "../../controllers/pod-template.ts";
import { parseSchedule } from "../../lib/cron-schedule.ts";
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import { timestamp } from "../../lib/clock.ts";
import { isStatus } from "../../lib/status-error.ts";
import { dataImportCrons, dataSources, dataVolumes } from "../kinds/resources.ts";
import { cronLabel, desiredDigest, importVolume, nextPoll, planCron, waitMs } from "./plan.ts";

/** The digest of what a registry has by a reference, as `host/repository:tag`. */
export type DigestOf = (reference: string) => Promise<string>;

const scheduleOf = ({ spec, metadata }: KubeObject) =>
  spec.schedule
    ? parseSchedule(spec.schedule, "UTC", Date.parse(metadata.creationTimestamp))
    : undefined;

/** What is made goes with its cron where it says so. */
const ownersOf = (cron: KubeObject) =>
  cron.spec.retentionPolicy === "None" ? { ownerReferences: [controllerReference(cron)] } : {};

class CronRun {
  #cron: KubeObject;
  readonly #context: ControllerContext;
  readonly #digestOf: DigestOf;
  readonly #at: { namespace: string; name: string };

  constructor(cron: KubeObject, context: ControllerContext, digestOf: DigestOf) {
    this.#cron = cron;
    this.#context = context;
    this.#digestOf = digestOf;
    this.#at = { namespace: cron.metadata.namespace!, name: cron.metadata.name };
  }

  async run(key: Key) {
    const { informer, clock, wakeAfter } = this.#context;
    if (this.#rival()) return;
    const schedule = scheduleOf(this.#cron);
    const due = nextPoll({ cron: this.#cron, schedule });
    const trouble = due !== undefined && due <= clock.now() ? await this.#poll() : undefined;
    const made = informer(dataVolumes)
      .list(this.#at.namespace)
      .filter(({ metadata }) => metadata.labels?.[cronLabel] === this.#at.name);
    const seen = { cron: this.#cron, dataVolumes: made, schedule, trouble, now: clock.now() };
    const plan = planCron(seen);
    if (plan.create) await this.#import(plan.create);
    if (plan.source) await this.#lead(plan.source);
    for (const one of plan.delete) await this.#remove(one);
    await this.#write(plan.status);
    const ms = waitMs({ ...seen, cron: { ...this.#cron, status: plan.status } });
    if (ms !== undefined) wakeAfter(key, ms);
  }

  /** Another cron that fills the same DataSource already. */
  #rival(): boolean {
    const { informer, event } = this.#context;
    const { managedDataSource } = this.#cron.spec;
    const { namespace, name } = this.#at;
    const owner = informer(dataSources).get(managedDataSource, namespace)?.metadata.labels?.[
      cronLabel
    ];
    if (!owner || owner === name) return false;
    const other = informer(dataImportCrons).get(owner, namespace);
    if (other?.spec.managedDataSource !== managedDataSource) return false;
    const why = `DataSource ${managedDataSource} is already managed by DataImportCron ${owner}`;
    event(this.#cron, "Warning", "ErrDataSourceAlreadyManaged", why);
    return true;
  }

  /** Resolves with why there is no digest. */
  async #poll(): Promise<string | undefined> {
    const { client, clock, event } = this.#context;
    const { url } = this.#cron.spec.template.spec.source.registry;
    try {
      const digest = await this.#digestOf(String(url).replace(/^docker:\/\//, ""));
      const target = { ...dataImportCrons, ...this.#at };
      if (this.#cron.metadata.annotations?.[desiredDigest] !== digest) {
        const metadata = { annotations: { [desiredDigest]: digest } };
        const { metadata: kept } = await client.patch(target, "merge", { metadata });
        this.#cron = { ...this.#cron, metadata: kept };
      }
      const lastExecutionTimestamp = timestamp(clock.now());
      this.#cron = { ...this.#cron, status: { ...this.#cron.status, lastExecutionTimestamp } };
      return undefined;
    } catch (error) {
      const why = `${url}: ${(error as Error).message}`;
      event(this.#cron, "Warning", "PollFailed", why);
      return why;
    }
  }

  async #import(wanted: { name: string; digest: string }) {
    const { client, event } = this.#context;
    const { namespace } = this.#at;
    const { metadata, ...draft } = importVolume(this.#cron, wanted);
    await client
      .create(
        { ...dataVolumes, namespace },
        { ...draft, metadata: { ...metadata, ...ownersOf(this.#cron) } },
      )
      .catch((error: unknown) => {
        if (isStatus(error, "AlreadyExists")) return;
        event(this.#cron, "Warning", "ImportFailed", (error as Error).message);
        throw error;
      });
  }

  /** The DataSource is made where there is none. */
  async #lead(claim: string) {
    const { client, informer } = this.#context;
    const { namespace, name } = this.#at;
    const { managedDataSource } = this.#cron.spec;
    const known = informer(dataSources).get(managedDataSource, namespace);
    const spec = { source: { pvc: { namespace, name: claim } } };
    const labels = { [cronLabel]: name };
    if (!known) {
      const draft = {
        apiVersion: "cdi.kubevirt.io/v1beta1",
        kind: "DataSource",
        metadata: { name: managedDataSource, labels, ...ownersOf(this.#cron) },
        spec,
      };
      await client.create({ ...dataSources, namespace }, draft).catch((error: unknown) => {
        if (!isStatus(error, "AlreadyExists")) throw error;
      });
      return;
    }
    const isSo = jsonEqual(known.spec, spec) && known.metadata.labels?.[cronLabel] === name;
    if (isSo) return;
    const { resourceVersion } = known.metadata;
    const target = { ...dataSources, namespace, name: managedDataSource };
    const wanted = { source: { pvc: spec.source.pvc, dataSource: null, snapshot: null } };
    await client.patch(target, "merge", { metadata: { labels, resourceVersion }, spec: wanted });
  }

  async #remove({ metadata: { name, uid } }: KubeObject) {
    const target = { ...dataVolumes, namespace: this.#at.namespace, name };
    await this.#context.client
      .delete(target, { preconditions: { uid } })
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound", "Conflict")) throw error;
      });
  }

  async #write(status: any) {
    const { client, informer } = this.#context;
    const known = informer(dataImportCrons).get(this.#at.name, this.#at.namespace);
    if (jsonEqual(status, known?.status)) return;
    const target = { ...dataImportCrons, ...this.#at, subresource: "status" };
    await client.update(target, { ...this.#cron, status });
  }
}

const cronOf = ({ metadata }: KubeObject): Key[] => {
  const name = metadata.labels?.[cronLabel];
  return name ? [`${metadata.namespace}/${name}`] : [];
};

export const importCronController = (digestOf: DigestOf): Controller => ({
  name: "data-import-cron",
  inputs: [
    { resource: dataImportCrons },
    { resource: dataVolumes, keys: cronOf },
    { resource: dataSources, keys: cronOf },
  ],
  outputs: [
    { ...dataImportCrons, resource: "dataimportcrons/status" },
    dataImportCrons,
    dataSources,
    dataVolumes,
  ],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const cron = context.informer(dataImportCrons).get(name, namespace);
    if (!cron || cron.metadata.deletionTimestamp) return;
    await new CronRun(cron, context, digestOf).run(key);
  },
});
