// The step between finding a device and using it, where a Configuration asks for one. Pure.
import type { Configuration, KnownDevice } from "./configuration.ts";
import { digestOf } from "./instance.ts";
import type { Instance } from "./instance.ts";

export const knownDevice = ({ spec }: Configuration, digest: string): KnownDevice | undefined =>
  spec?.devices?.find(({ device }) => device === digest);

export function isApproved(configuration: Configuration, instance: Instance): boolean {
  const approved = knownDevice(configuration, digestOf(instance))?.approved;
  return configuration.spec?.approval === "Manual" ? approved === true : approved !== false;
}
