// Which pod a request goes to: a backend by weight, then one of its Service's endpoints.
import type { KubeObject } from "../kinds/object.ts";
import type { Backend, Route } from "./model.ts";

export interface Endpoint {
  address: string;
  port: number;
}

/** Chooses by weight; undefined when the lot falls on what leads nowhere. Pure. */
export function chooseBackend({ backends, lostWeight }: Route, lot: number): Backend | undefined {
  const all = backends.reduce((sum, { weight }) => sum + weight, lostWeight);
  let left = lot * all;
  for (const backend of backends) {
    left -= backend.weight;
    if (left < 0) return backend;
  }
  return undefined;
}

/** The ready endpoints behind a Service's port, by its number or name. Pure. */
export function endpointsOf(
  service: KubeObject | undefined,
  slices: KubeObject[],
  port: number | string,
): Endpoint[] {
  const own = service?.spec.ports?.find((one: any) => one.port === port || one.name === port);
  if (!own) return [];
  return slices.flatMap((slice) => {
    const number = slice["ports"]?.find((one: any) => (one.name ?? "") === (own.name ?? ""))?.port;
    if (!number || slice["addressType"] === "FQDN") return [];
    return (slice["endpoints"] ?? [])
      .filter(({ conditions }: any) => conditions?.ready !== false)
      .flatMap(({ addresses }: any) =>
        addresses.map((address: string) => ({ address, port: number })),
      );
  });
}
