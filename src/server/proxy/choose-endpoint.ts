// One address of an Endpoints object, by chance. Only addresses of pods count, and only while the pod has
// them: an Endpoints object may be written by many, and a proxy that followed it anywhere would lend out
// the server's own network.
import type { KubeObject } from "../../kinds/object.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import type { ServerHandle } from "../policy.ts";
import type { EndpointAddress, EndpointSubset } from "./read-endpoints.ts";

export interface ChosenEndpoint {
  host: string;
  port: number;
  nodeName: string | undefined;
}

/** The pod behind an address, when it has that address. */
async function podBehind(
  server: ServerHandle,
  namespace: string,
  { ip, targetRef }: EndpointAddress,
) {
  const name = targetRef?.kind === "Pod" ? targetRef.name : undefined;
  if (!name || (targetRef?.namespace ?? namespace) !== namespace) return undefined;
  const entry = await server.store.get(`pods/${namespace}/${name}`);
  const pod = entry && parseShared<KubeObject>(entry.value);
  const { podIP, podIPs = [] } = pod?.status ?? {};
  const has = podIP === ip || podIPs.some((one: { ip: string }) => one.ip === ip);
  return has ? pod : undefined;
}

/**
 * Undefined when there is no address with the port. `podsOnly` leaves out what is no pod's: for proxies that
 * anybody may aim; where an administrator says where to connect, any address is good.
 */
export async function chooseEndpoint(
  server: ServerHandle,
  { namespace, subsets }: { namespace: string; subsets: EndpointSubset[] },
  isAsked: (port: { name: string; port: number }) => boolean,
  { podsOnly }: { podsOnly: boolean },
): Promise<ChosenEndpoint | undefined> {
  const choices = subsets.flatMap(({ addresses = [], ports = [] }) => {
    const found = ports.find(({ name = "", port }) => isAsked({ name, port }));
    return found ? addresses.map((address) => ({ address, port: found.port })) : [];
  });
  const first = Math.floor(server.random.float() * choices.length);
  for (let i = 0; i < choices.length; i++) {
    const { address, port } = choices[(first + i) % choices.length]!;
    if (!podsOnly) return { host: address.ip, port, nodeName: address.nodeName };
    const pod = await podBehind(server, namespace, address);
    if (pod) return { host: address.ip, port, nodeName: pod.spec.nodeName };
  }
  return undefined;
}
