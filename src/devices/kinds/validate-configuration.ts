// What Akri's webhook judges and a schema cannot: fields that Kubernetes' own types do not know, and details that
// their handler does not understand. Each fault is told by its field. Pure.
import { forbiddenValue, invalidValue, required } from "../../kinds/field-checks.ts";
import { builtinKinds } from "../../kinds/kinds.ts";
import { conform } from "../../kinds/schema/conform.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { DiscoveryHandler } from "../discovery/handler.ts";
import type { Configuration, ConfigurationSpec } from "./configuration.ts";

/** With a dash and six digits behind it, a resource's name has at most 63 characters. */
const nameCharsMax = 56;

const typed: [path: string, definition: string, get: (spec: ConfigurationSpec) => unknown][] = [
  [
    "spec.brokerSpec.brokerPodSpec",
    "io.k8s.api.core.v1.PodSpec",
    ({ brokerSpec }) => brokerSpec?.brokerPodSpec,
  ],
  [
    "spec.brokerSpec.brokerJobSpec",
    "io.k8s.api.batch.v1.JobSpec",
    ({ brokerSpec }) => brokerSpec?.brokerJobSpec,
  ],
  [
    "spec.instanceServiceSpec",
    "io.k8s.api.core.v1.ServiceSpec",
    ({ instanceServiceSpec }) => instanceServiceSpec,
  ],
  [
    "spec.configurationServiceSpec",
    "io.k8s.api.core.v1.ServiceSpec",
    ({ configurationServiceSpec }) => configurationServiceSpec,
  ],
];

let definitions: ReturnType<typeof builtinKinds>["definition"] | undefined;

function typeErrors(path: string, definition: string, value: unknown): FieldError[] {
  if (value === undefined || value === null) return [];
  definitions ??= builtinKinds().definition;
  const { unknown, wrong } = conform(structuredClone(value), { ref: definition }, definitions);
  return [
    ...unknown.map((field) => forbiddenValue(`${path}.${field}`, "unknown field")),
    ...wrong.map((one) => {
      return invalidValue(`${path}.${one.path}`, one.found, `expected ${one.wanted}`);
    }),
  ];
}

const ofPods = /^(cpu|memory|hugepages-.+)$/;

/** A device that is asked for beside the containers would be nobody's: it belongs into one of them. */
function podResourceErrors(path: string, pod: any): FieldError[] {
  return ["limits", "requests"].flatMap((list) =>
    Object.keys(pod?.resources?.[list] ?? {})
      .filter((name) => !ofPods.test(name))
      .map((name) =>
        forbiddenValue(`${path}.resources.${list}[${name}]`, "a container asks for it, no pod"),
      ),
  );
}

function keyErrors(spec: ConfigurationSpec): FieldError[] {
  const path = "spec.discoveryHandler.discoveryProperties";
  return (spec.discoveryHandler?.discoveryProperties ?? []).flatMap(({ valueFrom }, at) =>
    Object.entries(valueFrom ?? {})
      .filter(([, ref]) => ref && ref.key === undefined)
      .map(([kind]) => required(`${path}[${at}].valueFrom.${kind}.key`)),
  );
}

function detailsErrors(spec: ConfigurationSpec, handlers: DiscoveryHandler[]): FieldError[] {
  const { name, discoveryDetails = "" } = spec.discoveryHandler ?? {};
  const field = "spec.discoveryHandler.discoveryDetails";
  try {
    handlers.find((one) => one.name === name)?.check?.(discoveryDetails);
    return [];
  } catch (error) {
    if (!(error instanceof DetailsError)) throw error;
    return [{ type: "FieldValueInvalid", field, message: `Invalid value: ${error.message}` }];
  }
}

export function configurationErrors(
  { metadata, spec = {} }: Configuration,
  handlers: DiscoveryHandler[],
): FieldError[] {
  const errors: FieldError[] = [];
  const { name } = metadata;
  if (name.length > nameCharsMax) {
    const why = `must be no more than ${nameCharsMax} characters, since resources are named by it`;
    errors.push(invalidValue("metadata.name", name, why));
  }
  if (!spec.discoveryHandler?.name) errors.push(required("spec.discoveryHandler.name"));
  if ((spec.capacity ?? 1) < 0) {
    errors.push(invalidValue("spec.capacity", spec.capacity, "must not be negative"));
  }
  const { brokerPodSpec, brokerJobSpec, brokerTemplate } = spec.brokerSpec ?? {};
  const brokers = [brokerPodSpec, brokerJobSpec, brokerTemplate].filter(Boolean);
  if (brokers.length > 1) {
    errors.push(forbiddenValue("spec.brokerSpec", "more than one kind of broker"));
  }
  for (const [path, definition, get] of typed) {
    errors.push(...typeErrors(path, definition, get(spec)));
  }
  const path = "spec.brokerSpec";
  errors.push(...podResourceErrors(`${path}.brokerPodSpec`, brokerPodSpec));
  const template = (brokerJobSpec as any)?.template?.spec;
  errors.push(...podResourceErrors(`${path}.brokerJobSpec.template.spec`, template));
  return [...errors, ...keyErrors(spec), ...detailsErrors(spec, handlers)];
}
