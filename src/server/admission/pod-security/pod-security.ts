// PodSecurity: pods are held to the standard of their namespace's labels. A pod that breaks what is enforced
// is refused; what is only warned of is told, also for what pods are made from, which nobody refuses.
import type { KubeObject } from "../../../kinds/object.ts";
import { jsonEqual } from "../../../lib/json.ts";
import { invalid } from "../../../lib/status-error.ts";
import type { Admission, AdmissionRequest } from "../../policy.ts";
import type { ObjectReader } from "../object-reader.ts";
import { isAbout, refuse } from "../refuse.ts";
import type { PodShape } from "./pod.ts";
import { findings, labelErrors, standardOf, told } from "./standards.ts";
import type { Standard } from "./standards.ts";

/** Pods looked at when a namespace is held to more, and how many findings are told. */
const podsMax = 3000;
const toldMax = 10;

const templates: Record<string, (object: KubeObject) => any> = {
  replicationcontrollers: ({ spec }) => spec.template,
  podtemplates: (object) => object["template"],
  "replicasets.apps": ({ spec }) => spec.template,
  "deployments.apps": ({ spec }) => spec.template,
  "statefulsets.apps": ({ spec }) => spec.template,
  "daemonsets.apps": ({ spec }) => spec.template,
  "jobs.batch": ({ spec }) => spec.template,
  "cronjobs.batch": ({ spec }) => spec.jobTemplate?.spec?.template,
};

const shapeOf = ({ metadata, spec }: any): PodShape => ({
  annotations: metadata?.annotations ?? {},
  spec: spec ?? {},
});

const nameOf = ({ level, version }: Standard) => `"${level}:${version}"`;

/** What other writes of a pod change matters to no control. */
const matters = (old: KubeObject | undefined, pod: KubeObject) =>
  !old ||
  !jsonEqual(old.spec, pod.spec) ||
  !jsonEqual(old.metadata.annotations ?? {}, pod.metadata.annotations ?? {});

export const podSecurity = (reader: ObjectReader): Admission => {
  const labelsOf = async (namespace: string) =>
    (await reader.get(`namespaces/${namespace}`))?.metadata.labels;

  const warn = (request: AdmissionRequest, standard: Standard, pod: PodShape) => {
    const found = findings(standard, pod);
    if (found.length > 0)
      request.warn(`would violate PodSecurity ${nameOf(standard)}: ${told(found)}`);
  };

  async function judgePod(request: AdmissionRequest) {
    const { old, object, subresource, namespace } = request;
    if (subresource !== "" && subresource !== "ephemeralcontainers") return;
    if (!matters(old, object!)) return;
    const labels = await labelsOf(namespace);
    const enforced = standardOf(labels, "enforce");
    const found = findings(enforced, shapeOf(object));
    if (found.length > 0) {
      throw refuse(request, `violates PodSecurity ${nameOf(enforced)}: ${told(found)}`);
    }
    warn(request, standardOf(labels, "warn"), shapeOf(object));
  }

  async function judgeNamespace(request: AdmissionRequest) {
    const { old, object, operation } = request;
    const { name, labels } = object!.metadata;
    const known = labelErrors(old?.metadata.labels).map((error) => error.label + error.value);
    const errors = labelErrors(labels).filter((one) => !known.includes(one.label + one.value));
    if (errors.length > 0) {
      const causes = errors.map(({ label, value, wanted }) => ({
        type: "FieldValueInvalid" as const,
        field: `metadata.labels[${label}]`,
        message: `Invalid value: ${JSON.stringify(value)}: ${wanted}`,
      }));
      throw invalid("Namespace", "", name, causes);
    }
    const next = standardOf(labels, "enforce");
    if (operation === "CREATE" || jsonEqual(next, standardOf(old?.metadata.labels, "enforce")))
      return;
    await tellOfPods(request, next);
  }

  /** Pods that are there stay; whoever tightens the rule learns which break it. */
  async function tellOfPods(request: AdmissionRequest, standard: Standard) {
    const { name } = request.object!.metadata;
    const byFinding = new Map<string, string[]>();
    for (const pod of (await reader.list(`pods/${name}/`)).slice(0, podsMax)) {
      const found = findings(standard, shapeOf(pod))
        .map(({ reason }) => reason)
        .join(", ");
      if (found) byFinding.set(found, [...(byFinding.get(found) ?? []), pod.metadata.name]);
    }
    if (byFinding.size === 0) return;
    const level = `${standard.level}:${standard.version}`;
    request.warn(
      `existing pods in namespace "${name}" violate the new PodSecurity enforce level "${level}"`,
    );
    for (const [found, pods] of [...byFinding].slice(0, toldMax)) {
      const others = pods.length - 1;
      const more = others > 0 ? ` (and ${others} other ${others > 1 ? "pods" : "pod"})` : "";
      request.warn(`${pods[0]}${more}: ${found}`);
    }
  }

  return {
    name: "PodSecurity",
    async validate(request) {
      const { kind, object, operation, subresource, old } = request;
      if (!object || (operation !== "CREATE" && operation !== "UPDATE")) return;
      const { group, plural } = kind;
      if (group === "" && plural === "pods") return judgePod(request);
      if (isAbout(request, "namespaces")) return judgeNamespace(request);
      const template = templates[group ? `${plural}.${group}` : plural];
      if (!template || subresource !== "") return;
      const made = template(object);
      if (!made || (old && jsonEqual(template(old), made))) return;
      warn(request, standardOf(await labelsOf(request.namespace), "warn"), shapeOf(made));
    },
  };
};
