// Variables that tell a container of Services, as Docker links did: `WEB_SERVICE_HOST`, `WEB_PORT`, ... Pure.
import type { KubeObject } from "../../kinds/object.ts";
import type { Objects } from "../objects.ts";
import type { Pod } from "./pod.ts";

const upper = (name: string) => name.toUpperCase().replace(/-/g, "_");

function variablesOf({ metadata, spec }: KubeObject): [string, string][] {
  const ip: string = spec.clusterIP;
  const name = upper(metadata.name);
  const ports: { name?: string; port: number; protocol?: string }[] = spec.ports ?? [];
  const first = ports[0];
  if (!first) return [];
  const host = ip.includes(":") ? `[${ip}]` : ip;
  const result: [string, string][] = [
    [`${name}_SERVICE_HOST`, ip],
    [`${name}_SERVICE_PORT`, String(first.port)],
  ];
  for (const port of ports) {
    if (port.name) result.push([`${name}_SERVICE_PORT_${upper(port.name)}`, String(port.port)]);
  }
  for (const [index, { port, protocol = "TCP" }] of ports.entries()) {
    const low = protocol.toLowerCase();
    const url = `${low}://${host}:${port}`;
    const prefix = `${name}_PORT_${port}_${protocol}`;
    if (index === 0) result.push([`${name}_PORT`, url]);
    result.push(
      [prefix, url],
      [`${prefix}_PROTO`, low],
      [`${prefix}_PORT`, String(port)],
      [`${prefix}_ADDR`, ip],
    );
  }
  return result;
}

const hasAddress = ({ spec }: KubeObject) => spec?.clusterIP && spec.clusterIP !== "None";

/** The API server's Service always; those of the pod's namespace unless `enableServiceLinks` is false. */
export function serviceVariables(pod: Pod, objects: Objects): Map<string, string> {
  const api = objects.services("default").filter(({ metadata }) => metadata.name === "kubernetes");
  const linked =
    pod.spec["enableServiceLinks"] === false ? [] : objects.services(pod.metadata.namespace ?? "");
  return new Map([...api, ...linked].filter(hasAddress).flatMap(variablesOf));
}
