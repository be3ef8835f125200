// Keeps brokers that are objects of others' kinds: a virtual machine, a workflow, a function. Whoever writes a
// Configuration need not be allowed to make such objects, so an administrator says which may be made, by what the user
// `system:akri-broker` may. What is made is written down on its Instance before, so that it goes when another is wanted.
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import type {
  Controller,
  ControllerContext,
  DiscoveredResource,
} from "../../controllers/runtime.ts";
import { isStatus } from "../../lib/status-error.ts";
import { brokerWorkload, isWorkload } from "../brokers/workload.ts";
import { configurations, isCustom } from "../kinds/configuration.ts";
import { instances } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";
import { instancesOf } from "./broker-controller.ts";
import { usableOf } from "./found.ts";

const fieldManager = "akri-workload";
const brokerUser = "system:akri-broker";
const verbs = ["create", "patch", "delete"];
/** What is written down: `API-VERSION KIND NAME`. */
export const madeAnnotation = "kerb.dev/custom-broker";
/** Nobody tells of rights that come, nor of objects that others take away. */
const lookEveryMs = 60_000;

const reviews = resource("authorization.k8s.io/v1", "subjectaccessreviews");

interface Place {
  namespace: string;
  name: string;
}

export type MayMake = (client: Client, of: DiscoveredResource, at: Place) => Promise<boolean>;

const mayMake: MayMake = async (client, { group, version, resource: plural }, at) => {
  for (const verb of verbs) {
    const resourceAttributes = { group, version, resource: plural, verb, ...at };
    const review = await client.create(reviews, {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: { user: brokerUser, groups: ["system:authenticated"], resourceAttributes },
    });
    if (!review["status"]?.allowed) return false;
  }
  return true;
};

async function kindOf(context: ControllerContext, apiVersion: string, kind: string) {
  const all = await context.discover();
  return all.find((one) => {
    const isNamed = one.kind === kind && `${one.group}/${one.version}` === apiVersion;
    return isNamed && one.namespaced && !one.resource.includes("/");
  });
}

const gone = (error: unknown) => {
  if (!isStatus(error, "NotFound", "Conflict")) throw error;
};

/** Takes away what was written down, if it is still this Instance's. */
async function remove(made: string, instance: Instance, context: ControllerContext) {
  const [apiVersion = "", kind = "", name = ""] = made.split(" ");
  const of = await kindOf(context, apiVersion, kind);
  if (!of) return;
  const { namespace, uid } = instance.metadata;
  const target = { ...of, namespace, name };
  const object = await context.client.get(target).catch(gone);
  if (!object || !isWorkload(object)) return;
  if (object.metadata.ownerReferences?.[0]?.uid !== uid) return;
  const preconditions = { uid: object.metadata.uid };
  const options = { preconditions, propagationPolicy: "Background" } as const;
  await context.client.delete(target, options).catch(gone);
}

const note = ({ metadata }: Instance, client: Client, made: string | null) =>
  client
    .patch({ ...instances, namespace: metadata.namespace, name: metadata.name }, "merge", {
      metadata: { uid: metadata.uid, annotations: { [madeAnnotation]: made } },
    })
    .catch(gone);

async function reconcile(key: string, context: ControllerContext, may: MayMake) {
  const { client, informer, event } = context;
  const [namespace, name] = key.split("/") as [string, string];
  const instance = informer(instances).get(name, namespace) as Instance | undefined;
  // What a gone Instance owned goes with it.
  if (!instance || instance.metadata.deletionTimestamp) return;
  const found = usableOf(key, context);
  const template = found?.configuration.spec?.brokerSpec?.brokerTemplate;
  const wanted =
    template && isCustom(template) ? brokerWorkload(instance, found.configuration) : undefined;
  const made = instance.metadata.annotations?.[madeAnnotation];
  const wish = wanted && `${wanted["apiVersion"]} ${wanted.kind} ${wanted.metadata.name}`;
  if (made !== undefined && made !== wish) {
    await remove(made, instance, context);
    await note(instance, client, null);
    return;
  }
  if (!wanted || !wish) return;
  context.wakeAfter(key, lookEveryMs);
  const refuse = (why: string) => event(instance, "Warning", "FailedCreate", why);
  const of = await kindOf(context, wanted["apiVersion"], wanted.kind);
  const what = `${wanted["apiVersion"]} ${wanted.kind}`;
  if (!of) return refuse(`the cluster has no kind ${what} within namespaces`);
  if (!(await may(client, of, { namespace, name: wanted.metadata.name }))) {
    return refuse(`${brokerUser} may not ${verbs.join(", ")} ${of.resource}.${of.group} here`);
  }
  if (made === undefined) await note(instance, client, wish);
  await apply(client, of, wanted, { fieldManager }).catch((error) => {
    refuse(`Error creating: ${(error as Error).message}`);
    throw error;
  });
}

export const customWorkloads = (may: MayMake = mayMake): Controller => ({
  name: "akri-custom-workload",
  inputs: [{ resource: instances }, { resource: configurations, keys: instancesOf }],
  outputs: [instances, reviews],
  reconcile: (key, context) => reconcile(key, context, may),
});
