// The instance type and the preference of a machine as they were when it took them: each is kept as a
// ControllerRevision, so that a machine does not change with its type.
import type { Client, Resource } from "../../client/client.ts";
import { controllerReference } from "../../controllers/pod-template.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { badRequest, isStatus } from "../../lib/status-error.ts";
import {
  clusterInstancetypes,
  clusterPreferences,
  controllerRevisions,
  instancetypes,
  preferences,
} from "../kinds/resources.ts";
import type { Sizing } from "./expand.ts";

interface Matcher {
  kind?: string;
  name?: string;
  revisionName?: string;
  inferFromVolume?: string;
}

/** `status.instancetypeRef` and `status.preferenceRef`. */
export interface SizingRef {
  kind: string;
  name: string;
  controllerRevisionRef: { name: string };
}

const fields = ["instancetype", "preference"] as const;
type Field = (typeof fields)[number];

const kinds: Record<
  Field,
  Record<string, { resource: Resource; kind: string; namespaced: boolean }>
> = {
  instancetype: {
    virtualmachineinstancetype: {
      resource: instancetypes,
      kind: "VirtualMachineInstancetype",
      namespaced: true,
    },
    virtualmachineclusterinstancetype: {
      resource: clusterInstancetypes,
      kind: "VirtualMachineClusterInstancetype",
      namespaced: false,
    },
  },
  preference: {
    virtualmachinepreference: {
      resource: preferences,
      kind: "VirtualMachinePreference",
      namespaced: true,
    },
    virtualmachineclusterpreference: {
      resource: clusterPreferences,
      kind: "VirtualMachineClusterPreference",
      namespaced: false,
    },
  },
};
const defaultKind = {
  instancetype: "virtualmachineclusterinstancetype",
  preference: "virtualmachineclusterpreference",
};

/** A kind may be written as its plural too. */
const kindOf = (field: Field, { kind }: Matcher) => {
  const name = (kind || defaultKind[field]).toLowerCase().replace(/s$/, "");
  const found = kinds[field][name];
  if (!found) throw badRequest(`spec.${field}.kind: ${kind} is no kind of ${field}s`);
  return found;
};

async function find(client: Client, vm: KubeObject, field: Field, matcher: Matcher) {
  if (!matcher.name) throw badRequest(`spec.${field}.name: required`);
  const { resource, namespaced } = kindOf(field, matcher);
  const namespace = namespaced ? vm.metadata.namespace : undefined;
  return client.get({ ...resource, namespace, name: matcher.name });
}

const revisionOf = (vm: KubeObject, field: Field): string | undefined =>
  vm.status?.[`${field}Ref`]?.controllerRevisionRef?.name || vm.spec[field]?.revisionName;

async function specOf(client: Client, vm: KubeObject, field: Field): Promise<any> {
  const matcher: Matcher | undefined = vm.spec[field];
  if (!matcher) return undefined;
  const revision = revisionOf(vm, field);
  if (!revision) return (await find(client, vm, field, matcher)).spec;
  const { namespace } = vm.metadata;
  return (await client.get({ ...controllerRevisions, namespace, name: revision }))["data"].spec;
}

/** Throws NotFound and BadRequest. */
export async function sizingOf(client: Client, vm: KubeObject): Promise<Sizing> {
  const [instancetype, preference] = await Promise.all(
    fields.map((field) => specOf(client, vm, field)),
  );
  return { ...(instancetype && { instancetype }), ...(preference && { preference }) };
}

async function keep(client: Client, vm: KubeObject, field: Field): Promise<SizingRef | undefined> {
  const matcher: Matcher | undefined = vm.spec[field];
  if (!matcher) return undefined;
  const { kind } = kindOf(field, matcher);
  const known = vm.status?.[`${field}Ref`] as SizingRef | undefined;
  if (known && known.name === matcher.name && known.kind === kind) return known;
  if (matcher.revisionName) {
    return { kind, name: matcher.name!, controllerRevisionRef: { name: matcher.revisionName } };
  }
  const found = await find(client, vm, field, matcher);
  const { uid, generation = 1 } = found.metadata;
  const { name: vmName } = vm.metadata;
  const namespace = vm.metadata.namespace!;
  const name = `${vmName}-${matcher.name}-${uid}-${generation}`;
  const revision = {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      ...{ name, namespace, ownerReferences: [controllerReference(vm)] },
      labels: {
        "instancetype.kubevirt.io/object-kind": kind,
        "instancetype.kubevirt.io/object-name": found.metadata.name,
        "instancetype.kubevirt.io/object-generation": String(generation),
        "instancetype.kubevirt.io/object-uid": uid,
      },
    },
    revision: 0,
    data: {
      apiVersion: found.apiVersion,
      kind,
      metadata: { name: found.metadata.name },
      spec: found.spec,
    },
  };
  await client.create({ ...controllerRevisions, namespace }, revision).catch((error: unknown) => {
    if (!isStatus(error, "AlreadyExists")) throw error;
  });
  return { kind, name: matcher.name!, controllerRevisionRef: { name } };
}

/** What `status` says of both, once they are kept. */
export async function keepSizing(client: Client, vm: KubeObject) {
  const [instancetypeRef, preferenceRef] = await Promise.all(
    fields.map((field) => keep(client, vm, field)),
  );
  return { ...(instancetypeRef && { instancetypeRef }), ...(preferenceRef && { preferenceRef }) };
}
