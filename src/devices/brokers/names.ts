// How Akri names and labels what it makes for a device. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import type { Configuration } from "../kinds/configuration.ts";
import type { Instance } from "../kinds/instance.ts";

export const labels = {
  controller: "controller",
  app: "app",
  configuration: "akri.sh/configuration",
  instance: "akri.sh/instance",
  node: "akri.sh/target-node",
};

export const controllerName = "akri.sh";

/** All that this room makes carries it. */
export const ownedSelector = `${labels.controller}=${controllerName}`;

const dashed = (name: string) => name.replaceAll(".", "-");

export function podName({ metadata: { name }, spec }: Instance, node: string) {
  return dashed(spec.shared ? `${node}-${name}-pod` : `${name}-pod`);
}

export const jobName = ({ metadata: { name } }: Instance, generation: number) =>
  dashed(`${name}-${generation}-job`);

/** Of an Instance or a Configuration. */
export const serviceName = (owner: string) => `${dashed(owner)}-svc`;

/** Of the Configuration's own resource, or of one of its Instances'. */
export function resourceName({ status }: Configuration, of: KubeObject) {
  const domain = status?.resourceName?.split("/")[0] ?? "akri.sh";
  return `${domain}/${of.metadata.name}`;
}
