// Keeps the Services before brokers, one controller for those of Instances and one for those of
// Configurations.
import { apply } from "../../client/apply.ts";
import type { Resource } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";
import { keyOfLabel } from "./broker-controller.ts";
import { labels, ownedSelector, serviceName } from "../brokers/names.ts";
import { brokerService, serviceFate } from "../brokers/service.ts";
import type { ServiceOf } from "../brokers/service.ts";
import { configurations } from "../kinds/configuration.ts";
import { instances } from "../kinds/instance.ts";

const pods = resource("v1", "pods");
const services = resource("v1", "services");

type SpecOf = (owner: KubeObject, context: ControllerContext) => Record<string, any> | undefined;

interface Choice {
  kind: ServiceOf;
  owners: Resource;
  label: string;
  specOf: SpecOf;
}

async function reconcile(key: string, context: ControllerContext, choice: Choice) {
  const { client, informer } = context;
  const { kind, owners, label, specOf } = choice;
  const [namespace, name] = key.split("/") as [string, string];
  const owner = informer(owners).get(name, namespace);
  const spec = owner && !owner.metadata.deletionTimestamp ? specOf(owner, context) : undefined;
  const brokers = informer(pods)
    .list(namespace)
    .filter(({ metadata }) => metadata.labels?.[label] === name);
  const known = informer(services).get(serviceName(name), namespace);
  const fate = spec ? serviceFate(brokers) : "remove";
  if (fate === "make") {
    const draft = brokerService(owner!, kind, spec!);
    await apply(client, services, draft, { fieldManager: "akri-controller" });
  } else if (fate === "remove" && known?.metadata.labels?.[label] === name) {
    const target = { ...services, namespace, name: known.metadata.name };
    await client.delete(target).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }
}

const make = (name: string, choice: Choice, more: Controller["inputs"]): Controller => ({
  name,
  inputs: [
    { resource: choice.owners },
    { resource: pods, labelSelector: ownedSelector, keys: keyOfLabel(choice.label) },
    { resource: services, labelSelector: ownedSelector, keys: keyOfLabel(choice.label) },
    ...more,
  ],
  outputs: [services],
  reconcile: (key, context) => reconcile(key, context, choice),
});

export const configurationServices = make(
  "akri-configuration-service",
  {
    kind: "Configuration",
    owners: configurations,
    label: labels.configuration,
    specOf: ({ spec }) => spec?.configurationServiceSpec ?? undefined,
  },
  [],
);

export const instanceServices = make(
  "akri-instance-service",
  {
    kind: "Instance",
    owners: instances,
    label: labels.instance,
    specOf: ({ spec, metadata: { namespace } }, { informer }) =>
      informer(configurations).get(spec.configurationName, namespace)?.spec?.instanceServiceSpec ??
      undefined,
  },
  [
    {
      resource: configurations,
      keys: ({ metadata: { name, namespace } }, { informer }) =>
        informer(instances)
          .list(namespace)
          .filter(({ spec }) => spec.configurationName === name)
          .map(({ metadata }) => `${namespace}/${metadata.name}`),
    },
  ],
);
