// Whether another server can be asked: its Service, its endpoints, then a request for its discovery, which
// also tells what it serves. Reasons and texts are those of kube-aggregator.
import type { Clock } from "../../lib/clock.ts";
import { limitedText } from "../../lib/limited-text.ts";
import { localVerdict } from "../../kinds/apiregistration/api-service.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { ServerHandle } from "../policy.ts";
import { forward, type ForwardTarget } from "../../lib/proxy/forward.ts";
import { type EndpointSubset, readEndpoints } from "../proxy/read-endpoints.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { ApiService, ApiServiceSpec } from "./api-service.ts";
import { rootOf } from "./api-service.ts";
import { defaultPort, identityHeaders, readObject } from "./route.ts";

/** Time another server gets to answer a check. */
const checkMsMax = 5000;

/** Longest discovery document that is read. */
const documentBytesMax = 8 * 1024 * 1024;

export interface Verdict {
  status: "True" | "False";
  reason: string;
  message: string;
}

export const passed: Verdict = { status: "True", reason: "Passed", message: "all checks passed" };

export const local: Verdict = localVerdict;

const failed = (reason: string, message: string): Verdict => ({ status: "False", reason, message });

/** What the Service and its endpoints say; undefined when they are well. */
export function judgeService(
  { namespace, name, port = defaultPort }: NonNullable<ApiServiceSpec["service"]>,
  service: KubeObject | undefined,
  subsets: EndpointSubset[] | undefined,
): Verdict | undefined {
  const what = `service/${name} in ${JSON.stringify(namespace)}`;
  if (!service) return failed("ServiceNotFound", `${what} is not present`);
  if ((service.spec.type ?? "ClusterIP") !== "ClusterIP") return undefined;
  const found = service.spec.ports?.find((one: any) => one.port === port);
  if (!found) return failed("ServicePortError", `${what} is not listening on port ${port}`);
  if (!subsets) return failed("EndpointsNotFound", `cannot find endpoints for ${what}`);
  const portName: string = found.name ?? "";
  const active = subsets.some(
    ({ addresses = [], ports = [] }) =>
      addresses.length > 0 && ports.some((one) => (one.name ?? "") === portName),
  );
  if (active) return undefined;
  const message = `endpoints for ${what} have no addresses with port name ${JSON.stringify(portName)}`;
  return failed("MissingEndpoints", message);
}

const checker = { name: "system:kube-aggregator", groups: ["system:masters"] };

/** A small document of the other server. Throws with a message for people. */
export async function fetchJson(
  route: ForwardTarget & { host: string },
  path: string,
  { clock, accept = "application/json" }: { clock: Clock; accept?: string },
): Promise<{ code: number; body: any; etag: string | undefined }> {
  const timeout = new AbortController();
  const message = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
  const cancel = clock.after(checkMsMax, () => timeout.abort(new Error(message)));
  const where = `https://${route.host}${path}`;
  try {
    const answer = await forward(route, {
      method: "GET",
      path,
      headers: { ...identityHeaders(checker), host: route.host, accept },
      body: undefined,
      signal: timeout.signal,
    });
    const code = answer.statusCode!;
    const body = await limitedText(answer, documentBytesMax);
    const etag = answer.headers.etag;
    if (code < 200 || code > 299) return { code, body: undefined, etag };
    return { code, body: JSON.parse(body), etag };
  } catch (error) {
    const reason = timeout.signal.aborted ? timeout.signal.reason : error;
    const cause = reason instanceof StatusError ? reason.cause : undefined;
    const said = ((cause ?? reason) as Error).message;
    throw new Error(`failing or missing response from ${where}: Get "${where}": ${said}`, {
      cause: error,
    });
  } finally {
    cancel();
  }
}

/** The verdict with, when all is well, the resources the other server told. */
export async function checkRemote(
  server: ServerHandle,
  { spec }: ApiService,
  route: ForwardTarget & { host: string },
): Promise<{ verdict: Verdict; resources?: any[] }> {
  const { namespace, name } = spec.service!;
  const service = await readObject(server, `services/${namespace}/${name}`);
  const subsets = await readEndpoints(server, namespace, name);
  const wrong = judgeService(spec.service!, service, subsets);
  if (wrong) return { verdict: wrong };
  const path = `/${rootOf(spec)}`;
  try {
    const { code, body } = await fetchJson(route, path, server);
    if (code < 200 || code > 299) {
      const message = `failing or missing response from https://${route.host}${path}: bad status from https://${route.host}${path}: ${code}`;
      return { verdict: failed("FailedDiscoveryCheck", message) };
    }
    return { verdict: passed, resources: body?.resources ?? [] };
  } catch (error) {
    return { verdict: failed("FailedDiscoveryCheck", (error as Error).message) };
  }
}
