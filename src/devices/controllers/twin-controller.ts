// Makes the twin of every device whose Configuration describes one. It stays while the device is away, so that
// what people want of it meanwhile is there when it is back, and goes with the Configuration.
import { apply } from "../../client/apply.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import { controllerReference } from "../../controllers/pod-template.ts";
import { instancesOf } from "./broker-controller.ts";
import { labels } from "../brokers/names.ts";
import { usableOf } from "./found.ts";
import { configurations } from "../kinds/configuration.ts";
import { deviceTwins } from "../kinds/device-twin.ts";
import { instances } from "../kinds/instance.ts";

async function reconcile(key: string, context: ControllerContext) {
  const { client, informer } = context;
  const [namespace, name] = key.split("/") as [string, string];
  const found = usableOf(key, context);
  const properties = found?.configuration.spec?.twin?.properties;
  if (!found || !properties) return;
  const { configuration, instance } = found;
  const { configurationName } = instance.spec;
  const owner = controllerReference(configuration);
  const twin = {
    apiVersion: "devices.kerb.dev/v1alpha1",
    kind: "DeviceTwin",
    metadata: {
      name,
      namespace,
      labels: { [labels.configuration]: configurationName, [labels.instance]: name },
      ownerReferences: [{ ...owner, apiVersion: "akri.sh/v0", kind: "Configuration" }],
    },
    spec: { instance: name, properties },
  };
  // What people desire is theirs, also where the Configuration says with what it begins.
  const known = informer(deviceTwins).get(name, namespace);
  const kept = properties.map(({ desired, ...rest }) =>
    known ? rest : { ...rest, ...(desired !== undefined && { desired }) },
  );
  const draft = { ...twin, spec: { ...twin.spec, properties: kept } };
  await apply(client, deviceTwins, draft, {
    fieldManager: known ? "akri-twin" : "akri-twin-first",
  });
}

export const deviceTwinsOfInstances: Controller = {
  name: "akri-twin",
  inputs: [
    { resource: instances },
    { resource: configurations, keys: instancesOf },
    { resource: deviceTwins },
  ],
  outputs: [deviceTwins],
  reconcile,
};
