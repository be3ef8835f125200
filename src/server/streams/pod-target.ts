// Which container of which pod on which node is meant.
import { badRequest, notFound, StatusError } from "../../lib/status-error.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { NodeConnection, PodAddress } from "../../lib/node-connection.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import type { HandlerContext, ServerHandle } from "../policy.ts";

export async function findPod({ server, info }: HandlerContext): Promise<KubeObject> {
  const { namespace = "", name = "" } = info;
  const entry = await server.store.get(`pods/${namespace}/${name}`);
  if (!entry) throw notFound({ group: "", resource: "pods" }, name);
  return parseShared<KubeObject>(entry.value);
}

export const addressOf = ({ metadata }: KubeObject): PodAddress => ({
  namespace: metadata.namespace!,
  name: metadata.name,
  uid: metadata.uid,
});

const namesOf = (containers: { name: string }[] | undefined) =>
  (containers ?? []).map((container) => container.name);

/** The named container, or the only one. Throws BadRequest. */
export function containerOf(pod: KubeObject, asked: string | null): string {
  const { name } = pod.metadata;
  const containers = namesOf(pod.spec.containers);
  const initial = namesOf(pod.spec.initContainers);
  const ephemeral = namesOf(pod.spec.ephemeralContainers);
  if (asked) {
    if ([...containers, ...initial, ...ephemeral].includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  if (containers.length === 1) return containers[0]!;
  let message = `a container name must be specified for pod ${name}`;
  message += `, choose one of: [${containers.join(" ")}]`;
  if (initial.length > 0) message += ` or one of the init containers: [${initial.join(" ")}]`;
  if (ephemeral.length > 0) {
    message += ` or one of the ephemeral containers: [${ephemeral.join(" ")}]`;
  }
  throw badRequest(message);
}

/** The connection to the pod's node. */
export async function connectionTo(server: ServerHandle, pod: KubeObject): Promise<NodeConnection> {
  const { nodeName } = pod.spec;
  if (!nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  if (!server.nodeConnector) {
    throw new StatusError("ServiceUnavailable", `no way to node ${nodeName} from this server`);
  }
  return server.nodeConnector(nodeName);
}
