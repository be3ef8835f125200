// What the schema cannot say of containers (pkg/apis/core/validation).
import type { FieldError } from "../../lib/status-error.ts";
import {
  duplicate,
  forbiddenValue,
  invalidValue,
  notFoundValue,
  portNumber,
  required,
  supported,
} from "../field-checks.ts";
import { dnsLabel, portName } from "../name-rules.ts";
import {
  all,
  each,
  fields,
  given,
  named,
  needed,
  none,
  oneOf,
  orEmpty,
  tooMany,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { variable, variableSources } from "./env-validation.ts";
import { lifecycleErrors, probes } from "./handler-validation.ts";
import { deviceErrors, mountErrors } from "./mount-validation.ts";
import type { Volumes } from "./mount-validation.ts";
import { claimNameErrors, resourceErrors } from "./resource-validation.ts";
import { securityContext } from "./security-validation.ts";

type Any = Record<string, any>;

const port = fields({
  name: given(named(portName)),
  containerPort: needed((number, at) => (number ? portNumber(number, at) : [required(at)])),
  hostPort: (number, at) => portNumber(number || undefined, at),
  protocol: oneOf("SCTP", "TCP", "UDP"),
});

const portNames: Rule = (ports: Any[], at) =>
  ports.flatMap(({ name }, i) =>
    name && portName(name).length === 0 && ports.findIndex((one) => one["name"] === name) < i
      ? [duplicate(`${at}[${i}].name`, name)]
      : none,
  );

/** No two ports of their node, by protocol and address. */
export function hostPortErrors(containers: Any[], at: string): Errors {
  let errors = none;
  const seen = new Set<string>();
  for (const [i, { ports = [] }] of containers.entries()) {
    for (const [j, { hostPort, hostIP = "", protocol = "TCP" }] of ports.entries()) {
      if (!hostPort) continue;
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (seen.has(key)) {
        errors = [...errors, duplicate(`${at}[${i}].ports[${j}].hostPort`, key)];
      }
      seen.add(key);
    }
  }
  return errors;
}

const resizable = oneOf("cpu", "memory");
const resizePolicies = oneOf("NotRequired", "RestartContainer");

/** Told at the list, as upstream does. */
function resizePolicyErrors(policies: Any[], at: string, isNever: boolean): Errors {
  return policies.flatMap(({ resourceName, restartPolicy = "" }, i) => [
    ...(policies.findIndex((one) => one["resourceName"] === resourceName) < i
      ? [duplicate(`${at}[${i}]`, resourceName)]
      : none),
    ...needed(resizable)(resourceName, at),
    ...needed(resizePolicies)(restartPolicy, at),
    ...(isNever && restartPolicy !== "NotRequired"
      ? [
          invalidValue(
            at,
            restartPolicy,
            "must be 'NotRequired' when pod `restartPolicy` is 'Never'",
          ),
        ]
      : none),
  ]);
}

const common = fields({
  name: needed(named(dnsLabel)),
  image: needed(),
  terminationMessagePolicy: oneOf("File", "FallbackToLogsOnError"),
  ports: all(each(port), portNames),
  env: each(variable),
  envFrom: variableSources,
  imagePullPolicy: oneOf("Always", "IfNotPresent", "Never"),
  resources: resourceErrors,
  securityContext,
});

/** What containers are judged by besides themselves. */
export interface PodContext {
  spec: Any;
  volumes: Volumes;
  /** Names of its resource claims. */
  claims: ReadonlySet<string>;
}

const unmaskedWhy = "`hostUsers` must be false to use `Unmasked`";

function commonErrors(container: Any, at: string, { spec, volumes, claims }: PodContext): Errors {
  const { resources, resizePolicy, securityContext: context } = container;
  const errors: Errors[] = [common(container, at)];
  if (container["volumeMounts"]) {
    errors.push(mountErrors(container, `${at}.volumeMounts`, volumes));
  }
  if (container["volumeDevices"]) {
    errors.push(deviceErrors(container, `${at}.volumeDevices`, volumes));
  }
  if (resources?.claims) {
    errors.push(claimNameErrors(resources.claims, `${at}.resources.claims`, claims));
  }
  if (resizePolicy) {
    const isNever = spec["restartPolicy"] === "Never";
    errors.push(resizePolicyErrors(resizePolicy, `${at}.resizePolicy`, isNever));
  }
  if (context?.procMount === "Unmasked" && spec["hostUsers"] !== false) {
    errors.push([invalidValue(`${at}.securityContext.procMount`, "Unmasked", unmaskedWhy)]);
  }
  return errors.some((one) => one.length > 0) ? errors.flat() : none;
}

const rulesMax = 20;
const exitCodesMax = 255;

const exitCodes = fields({
  operator: orEmpty(oneOf("In", "NotIn")),
  values: (values: unknown[], at) =>
    values.length > exitCodesMax ? [tooMany(at, values.length, exitCodesMax)] : none,
});

const restartRule = fields({
  action: orEmpty(oneOf("Restart", "RestartAllContainers")),
  exitCodes: needed(exitCodes, "must be specified"),
});

const restartPolicies = ["Always", "Never", "OnFailure"];

function restartErrors({ restartPolicy, restartPolicyRules: rules = [] }: Any, at: string): Errors {
  const field = `${at}.restartPolicyRules`;
  const why = "must specify restartPolicy when restart rules are used";
  const policy =
    restartPolicy !== undefined
      ? supported(`${at}.restartPolicy`, restartPolicy, restartPolicies)
      : rules.length > 0
        ? [required(`${at}.restartPolicy`, why)]
        : none;
  if (rules.length === 0) return policy;
  const many = rules.length > rulesMax ? [tooMany(field, rules.length, rulesMax)] : none;
  return [...policy, ...many, ...each(restartRule)(rules, field)];
}

const probed = fields(probes);

const runningErrors = (container: Any, at: string, pod: PodContext): Errors => [
  ...(container["lifecycle"]
    ? lifecycleErrors(
        container["lifecycle"],
        `${at}.lifecycle`,
        pod.spec["terminationGracePeriodSeconds"],
      )
    : none),
  ...probed(container, at),
];

const onlyForSidecars = ["lifecycle", ...Object.keys(probes)];

function initErrors(container: Any, at: string): Errors {
  const why = "may not be set for init containers without restartPolicy=Always";
  const resizeWhy = "must not be set to 'RestartContainer' for non-sidecar initContainers";
  const policies: Any[] = container["resizePolicy"] ?? [];
  return [
    ...onlyForSidecars
      .filter((name) => container[name] !== undefined)
      .map((name) => forbiddenValue(`${at}.${name}`, why)),
    ...policies.flatMap(({ restartPolicy }, i) =>
      restartPolicy === "RestartContainer"
        ? [invalidValue(`${at}.resizePolicy[${i}].restartPolicy`, restartPolicy, resizeWhy)]
        : none,
    ),
  ];
}

const always = "Always";

/** An init container that is started again and again lives beside the others. */
export function initContainerErrors(container: Any, at: string, pod: PodContext): Errors {
  const { restartPolicy, restartPolicyRules: rules = [] } = container;
  const isSidecar = restartPolicy === always;
  const why = "restartPolicyRules are not allowed for init containers with restart policy Always";
  const restart = !isSidecar
    ? restartErrors(container, at)
    : rules.length > 0
      ? [forbiddenValue(`${at}.restartPolicyRules`, why)]
      : none;
  return [
    ...commonErrors(container, at, pod),
    ...restart,
    ...(isSidecar ? runningErrors(container, at, pod) : initErrors(container, at)),
  ];
}

export const containerErrors = (container: Any, at: string, pod: PodContext): Errors => [
  ...commonErrors(container, at, pod),
  ...runningErrors(container, at, pod),
  ...restartErrors(container, at),
];

const notInEphemeral = [
  "ports",
  "resources",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
  "resizePolicy",
  "restartPolicy",
  "restartPolicyRules",
];
const isSet = (value: any) =>
  value !== undefined && (typeof value !== "object" || Object.keys(value).length > 0);

export function ephemeralContainerErrors(container: Any, at: string, pod: PodContext): Errors {
  const why = "cannot be set for an Ephemeral Container";
  const mounts: Any[] = container["volumeMounts"] ?? [];
  const { targetContainerName: target } = container;
  const others = [...(pod.spec["containers"] ?? []), ...(pod.spec["initContainers"] ?? [])];
  const errors: FieldError[] = [...commonErrors(container, at, pod)];
  if (target && !others.some(({ name }) => name === target)) {
    errors.push(notFoundValue(`${at}.targetContainerName`, target));
  }
  for (const name of notInEphemeral) {
    if (isSet(container[name])) errors.push(forbiddenValue(`${at}.${name}`, why));
  }
  for (const [i, mount] of mounts.entries()) {
    for (const name of ["subPath", "subPathExpr"]) {
      if (mount[name]) errors.push(forbiddenValue(`${at}.volumeMounts[${i}].${name}`, why));
    }
  }
  return errors;
}
