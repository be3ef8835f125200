// An Instance with the Configuration that found it.
import type { ControllerContext } from "../../controllers/runtime.ts";
import { isApproved } from "../kinds/approval.ts";
import { configurations } from "../kinds/configuration.ts";
import type { Configuration } from "../kinds/configuration.ts";
import { instances } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";

export interface Found {
  instance: Instance;
  configuration: Configuration;
}

/** By the Instance's `NAMESPACE/NAME`; undefined of a device that is not approved, or on its way out. */
export function usableOf(
  key: string,
  { informer }: Pick<ControllerContext, "informer">,
): Found | undefined {
  const [namespace, name] = key.split("/") as [string, string];
  const instance = informer(instances).get(name, namespace) as Instance | undefined;
  if (!instance || instance.metadata.deletionTimestamp) return undefined;
  const configuration = informer(configurations).get(instance.spec.configurationName, namespace) as
    | Configuration
    | undefined;
  const isUsable = configuration && isApproved(configuration, instance);
  return isUsable ? { instance, configuration } : undefined;
}
