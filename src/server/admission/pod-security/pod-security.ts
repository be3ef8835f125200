// PodSecurity: holds pods to the level that their namespace's labels ask for, and warns of workloads whose
// pods would be refused.
// https://kubernetes.io/docs/concepts/security/pod-security-admission/
import type { KubeObject } from "../../../kinds/object.ts";
import { parseShared } from "../../../lib/parse-shared.ts";
import { invalid } from "../../../lib/status-error.ts";
import type { Store } from "../../../store/store.ts";
import type { Admission, AdmissionRequest } from "../../policy.ts";
import { resourceNameOf } from "../../stored.ts";
import type { ObjectReader } from "../object-reader.ts";
import { refuse } from "../refuse.ts";
import type { PodLike } from "./control.ts";
import type { LevelVersion, Policy } from "./labels.ts";
import { asked, noPolicy, policyOf, same, strictness, written } from "./labels.ts";
import { namespaceWarnings } from "./namespace-warnings.ts";
import { inDetail, violationsOf } from "./standard.ts";

export interface Exemptions {
  usernames: string[];
  runtimeClasses: string[];
  namespaces: string[];
}

export interface PodSecurityOptions {
  reader: ObjectReader;
  store: Store;
  /** For namespaces without labels; privileged when absent. */
  defaults?: Policy;
  exemptions?: Exemptions;
}

const noExemptions: Exemptions = { usernames: [], runtimeClasses: [], namespaces: [] };

const templateOf = (object: any): PodLike | undefined => object.spec?.template;

/** Where each workload keeps the pods it makes. */
const templates: Record<string, (object: any) => PodLike | undefined> = {
  replicationcontrollers: templateOf,
  podtemplates: (object) => object.template,
  "replicasets.apps": templateOf,
  "deployments.apps": templateOf,
  "statefulsets.apps": templateOf,
  "daemonsets.apps": templateOf,
  "jobs.batch": templateOf,
  "cronjobs.batch": (object) => object.spec?.jobTemplate?.spec?.template,
};

const ignored = new Set("exec attach binding eviction log portforward proxy status".split(" "));

/** Of what may change in a pod, only its images and new debugging containers matter. */
export function changesPod(spec: any, old: any): boolean {
  for (const list of ["containers", "initContainers"]) {
    const [now, before] = [spec[list] ?? [], old[list] ?? []];
    if (now.length !== before.length) return true;
    if (now.some((one: any, at: number) => one.image !== before[at].image)) return true;
  }
  const before = new Map(
    (old.ephemeralContainers ?? []).map((one: any) => [one.name, one.image] as const),
  );
  return (spec.ephemeralContainers ?? []).some((one: any) => before.get(one.name) !== one.image);
}

function broken(pod: PodLike, at: LevelVersion): string | undefined {
  const found = violationsOf(pod, at.level, at.minor);
  return found.length > 0 ? `PodSecurity "${written(at)}": ${inDetail(found)}` : undefined;
}

class PodSecurity implements Admission {
  readonly name = "PodSecurity";
  readonly #reader;
  readonly #store;
  readonly #defaults;
  readonly #exempt;

  constructor({ reader, store, defaults, exemptions }: PodSecurityOptions) {
    this.#reader = reader;
    this.#store = store;
    this.#defaults = defaults ?? noPolicy;
    this.#exempt = exemptions ?? noExemptions;
  }

  async validate(request: AdmissionRequest) {
    const { kind, operation, subresource } = request;
    if (operation !== "CREATE" && operation !== "UPDATE") return;
    const resource = resourceNameOf(kind);
    if (resource === "pods") {
      if (!ignored.has(subresource)) await this.#pod(request);
    } else if (resource === "namespaces") {
      if (subresource === "") await this.#namespace(request);
    } else if (subresource === "" && templates[resource]) {
      const pod = templates[resource](request.object);
      if (pod?.spec) await this.#judge(request, pod, false);
    }
  }

  async #pod(request: AdmissionRequest) {
    const { object, old } = request;
    if (!object?.spec || (old && !changesPod(object.spec, old.spec))) return;
    await this.#judge(request, object as PodLike, true);
  }

  async #judge(request: AdmissionRequest, pod: PodLike, enforces: boolean) {
    const { namespace, user } = request;
    const { namespaces, usernames, runtimeClasses } = this.#exempt;
    if (namespaces.includes(namespace))
      return request.annotate("pod-security.kubernetes.io/exempt", "namespace");
    if (usernames.includes(user.name))
      return request.annotate("pod-security.kubernetes.io/exempt", "user");
    if (runtimeClasses.includes(pod.spec.runtimeClassName)) {
      return request.annotate("pod-security.kubernetes.io/exempt", "runtimeClass");
    }
    const owner = await this.#reader.get(`namespaces/${namespace}`);
    const { policy, errors } = policyOf(owner?.metadata.labels, this.#defaults);
    if (errors.length > 0) {
      const why = errors.map(({ field, message }) => `${field}: ${message}`).join(", ");
      request.annotate("pod-security.kubernetes.io/error", `Failed to parse policy: ${why}`);
    }
    if (enforces)
      request.annotate("pod-security.kubernetes.io/enforce-policy", written(policy.enforce));
    const wouldAudit = broken(pod, policy.audit);
    if (wouldAudit)
      request.annotate(
        "pod-security.kubernetes.io/audit-violations",
        `would violate ${wouldAudit}`,
      );
    const refusal = enforces && broken(pod, policy.enforce);
    if (refusal) throw refuse(request, `violates ${refusal}`);
    const warning = broken(pod, policy.warn);
    if (warning) request.warn(`would violate ${warning}`);
  }

  async #namespace(request: AdmissionRequest) {
    const { object, old, kind } = request;
    const { name, labels } = object!.metadata;
    const now = policyOf(labels, this.#defaults);
    const before = old && policyOf(old.metadata.labels, this.#defaults);
    // What was wrong before may stay: the labels are not what this write is about.
    const unchanged = before && JSON.stringify(before.errors) === JSON.stringify(now.errors);
    if (now.errors.length > 0 && !unchanged) throw invalid(kind.kind, kind.group, name, now.errors);
    const { enforce } = now.policy;
    if (before) {
      const was = before.policy.enforce;
      if (same(enforce, was) || enforce.level === "privileged") return;
      if (enforce.minor === was.minor && strictness(enforce) <= strictness(was)) return;
    }
    if (this.#exempt.namespaces.includes(name)) {
      const policy = asked(labels, now.policy);
      if (!policy) return;
      return request.warn(
        `namespace "${name}" is exempt from Pod Security, and the policy (${policy}) will be ignored`,
      );
    }
    if (!before) return;
    const { entries } = await this.#store.list(`pods/${name}/`);
    const pods = entries
      .map(({ value }) => parseShared<KubeObject>(value))
      .filter(({ spec }) => !this.#exempt.runtimeClasses.includes(spec.runtimeClassName));
    for (const warning of namespaceWarnings(name, pods, enforce)) request.warn(warning);
  }
}

export const podSecurity = (options: PodSecurityOptions): Admission => new PodSecurity(options);
