// How Akri names and labels what it makes for a device. Pure.
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

export const resourceName = (of: string) => `akri.sh/${of}`;
