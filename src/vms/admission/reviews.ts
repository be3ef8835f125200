// Admission reviews of the wing's kinds: what the API server asks before it stores one.
import type { Client } from "../../client/client.ts";
import { instanceFinalizer } from "../machine/instance-of.ts";
import { forbiddenValue, required } from "../../kinds/field-checks.ts";
import { jsonEqual } from "../../lib/json.ts";
import { forbidden, invalid, isStatus, StatusError } from "../../lib/status-error.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { controllerOf } from "../../kinds/object.ts";
import { planEviction } from "../eviction/plan.ts";
import { instances, kubeVirts, pods } from "../kinds/resources.ts";
import { permittedDevices } from "../host-devices.ts";
import { judgeClone } from "./clone-rights.ts";
import { dataVolumeErrors } from "./data-volume-rules.ts";
import { dataSourceErrors, importCronErrors } from "./import-cron-rules.ts";
import { withDefaults } from "./defaults.ts";
import { instanceErrors } from "./instance-rules.ts";
import type { RuleContext } from "./instance-rules.ts";
import { machineErrors } from "./machine-rules.ts";

interface Asked {
  object: any;
  old: any;
  user: string;
  context: RuleContext;
}

async function contextOf(client: Client): Promise<RuleContext & { evictionStrategy?: string }> {
  const target = { ...kubeVirts, namespace: "kubevirt", name: "kubevirt" };
  const found = await client.get(target).catch((error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
  });
  const configuration = found?.spec?.configuration ?? {};
  const { developerConfiguration, evictionStrategy } = configuration;
  const gates = new Set<string>(developerConfiguration?.featureGates);
  const allowed = permittedDevices(configuration);
  return { gates, permittedDevices: allowed, ...(evictionStrategy && { evictionStrategy }) };
}

/** Parts of Kerb, which alone change an instance's spec. */
const isOurs = (user: string) => /^system:(kubevirt|node:|kube-|apiserver|kerb)/.test(user);

const judgeInstance = ({ object, old, user, context }: Asked): FieldError[] => {
  if (!old) return instanceErrors(object.spec, "spec", context);
  if (isOurs(user) || jsonEqual(object.spec, old.spec)) return [];
  throw forbidden(
    { group: "kubevirt.io", resource: "virtualmachineinstances" },
    object.metadata.name,
    "update of VMI object is restricted",
  );
};

const judgeMachine = ({ object, old, context }: Asked) =>
  // What was taken once is not refused while it goes away.
  object.metadata.deletionTimestamp || (old && jsonEqual(object.spec, old.spec))
    ? []
    : machineErrors(object, context);

const judgeReplicaSet = ({ object, context }: Asked) =>
  instanceErrors(object.spec.template.spec, "spec.template.spec", context);

/** What a pool says that is not done. */
const notOfPools = ["autohealing", "scaleInStrategy", "nameGeneration", "maxUnavailable"];

const judgePool = (asked: Asked): FieldError[] => {
  const { spec } = asked.object;
  const no = "this is not supported by pools of Kerb";
  const refused = notOfPools
    .filter((name) => spec[name] !== undefined)
    .map((name) => `spec.${name}`);
  if (spec.updateStrategy?.proactive) refused.push("spec.updateStrategy.proactive");
  const path = "spec.virtualMachineTemplate.spec.template.spec";
  const template = spec.virtualMachineTemplate.spec?.template?.spec;
  if (!template) return [required(path)];
  return [
    ...refused.map((field) => forbiddenValue(field, no)),
    ...instanceErrors(template, path, asked.context),
  ];
};

const judgeDataVolume = ({ object, old }: Asked): FieldError[] => {
  if (!old) return dataVolumeErrors(object.spec, "spec");
  return jsonEqual(object.spec, old.spec)
    ? []
    : [forbiddenValue("spec", "Cannot update DataVolume Spec")];
};

const judgeImportCron = ({ object, old }: Asked): FieldError[] => {
  if (!old) return importCronErrors(object.spec);
  return jsonEqual(object.spec, old.spec)
    ? []
    : [forbiddenValue("spec", "Cannot update DataImportCron Spec")];
};

/** What a policy says that no migration is told. */
const notOfPolicies = ["allowWorkloadDisruption", "maxDowntimeMs", "experimental"];

const judgePolicy = ({ object: { spec } }: Asked): FieldError[] =>
  notOfPolicies
    .filter((name) => spec[name])
    .map((name) => forbiddenValue(`spec.${name}`, "this is not supported by migrations of Kerb"));

const judges: Record<string, (asked: Asked) => FieldError[]> = {
  VirtualMachine: judgeMachine,
  VirtualMachineInstance: judgeInstance,
  VirtualMachineInstanceReplicaSet: judgeReplicaSet,
  VirtualMachinePool: judgePool,
  MigrationPolicy: judgePolicy,
  DataVolume: judgeDataVolume,
  DataSource: ({ object }) => dataSourceErrors(object.spec),
  DataImportCron: judgeImportCron,
};

const respond = (review: any, response: object) => ({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  response: { uid: review.request.uid, ...response },
});

const refusal = (error: StatusError) => ({
  allowed: false,
  status: {
    message: error.message,
    reason: error.reason,
    code: error.code,
    ...(error.details && { details: error.details }),
  },
});

/** A VM's pod with its instance; undefined for any other pod. */
async function instanceOfPod(client: Client, namespace: string, name: string) {
  const pod = await client.get({ ...pods, namespace, name }).catch((error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
  });
  const owner = pod && controllerOf(pod);
  if (!pod || owner?.kind !== "VirtualMachineInstance") return undefined;
  return { pod, vmi: await client.get({ ...instances, namespace, name: owner.name }) };
}

export const evictPath = "/admission/evict";
export const validatePath = "/admission/validate";
export const mutatePath = "/admission/mutate";

export function reviewsOf(client: Client) {
  async function validate(review: any) {
    const { object, oldObject: old, userInfo, kind } = review.request;
    const judge = judges[kind.kind];
    if (!judge || !object) return respond(review, { allowed: true });
    try {
      const user = userInfo?.username ?? "";
      if (kind.kind === "DataVolume" && !old) await judgeClone(client, object, userInfo ?? {});
      const errors = judge({ object, old, user, context: await contextOf(client) });
      if (errors.length === 0) return respond(review, { allowed: true });
      const name = object.metadata.name ?? object.metadata.generateName ?? "";
      throw invalid(kind.kind, kind.group, name, errors);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      return respond(review, refusal(error));
    }
  }
  async function mutate(review: any) {
    const { object } = review.request;
    if (!object.spec?.domain) return respond(review, { allowed: true });
    const { finalizers = [] } = object.metadata;
    const wanted = [...new Set([...finalizers, instanceFinalizer])];
    const patch = [
      { op: "add", path: "/spec", value: withDefaults(object.spec) },
      { op: "add", path: "/metadata/finalizers", value: wanted },
    ];
    const encoded = Buffer.from(JSON.stringify(patch)).toString("base64");
    return respond(review, { allowed: true, patchType: "JSONPatch", patch: encoded });
  }
  async function evict(review: any) {
    const { namespace, name, dryRun } = review.request;
    const found = await instanceOfPod(client, namespace, name);
    if (!found) return respond(review, { allowed: true });
    const { evictionStrategy } = await contextOf(client);
    const { vmi, pod } = found;
    const plan = planEviction(vmi, pod, evictionStrategy);
    if (plan.allow) return respond(review, { allowed: true });
    const { nodeName, evacuationNodeName } = vmi.status ?? {};
    if (plan.evacuate && !dryRun && evacuationNodeName !== nodeName) {
      const target = { ...instances, namespace, name: vmi.metadata.name };
      // Whatever else is written meanwhile: an answer that fails would let the pod go, and the VM with it.
      await client.patch(target, "merge", { status: { evacuationNodeName: nodeName } });
    }
    return respond(review, refusal(new StatusError("TooManyRequests", plan.why)));
  }
  return { [validatePath]: validate, [mutatePath]: mutate, [evictPath]: evict };
}
