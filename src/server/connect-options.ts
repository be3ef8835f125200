// The options object of a CONNECT request, which admission judges: its query, typed as its kind has it.
import type { KubeObject } from "../kinds/object.ts";
import { isTrue } from "./request-info.ts";
import type { ApiRequest, RequestInfo } from "./request.ts";

type Read = (query: URLSearchParams, info: RequestInfo) => object;

const flag = (query: URLSearchParams, name: string) =>
  isTrue(query.get(name)) ? { [name]: true } : {};

const streams: Read = (query) => ({
  ...flag(query, "stdin"),
  ...flag(query, "stdout"),
  ...flag(query, "stderr"),
  ...flag(query, "tty"),
  ...(query.get("container") && { container: query.get("container") }),
});

const proxied: Read = (_query, { rest }) => (rest === undefined ? {} : { path: `/${rest}` });

const readers: Record<string, { kind: string; read: Read }> = {
  "pods/exec": {
    kind: "PodExecOptions",
    read: (query, info) => ({ ...streams(query, info), command: query.getAll("command") }),
  },
  "pods/attach": { kind: "PodAttachOptions", read: streams },
  "pods/portforward": {
    kind: "PodPortForwardOptions",
    read: (query) => ({
      ports: query.getAll("ports").flatMap((list) => list.split(",").map(Number)),
    }),
  },
  "pods/proxy": { kind: "PodProxyOptions", read: proxied },
  "services/proxy": { kind: "ServiceProxyOptions", read: proxied },
  "nodes/proxy": { kind: "NodeProxyOptions", read: proxied },
};

/** Undefined for subresources whose options are no object. */
export function connectOptions({ query }: ApiRequest, info: RequestInfo): KubeObject | undefined {
  const reader = readers[`${info.kind.plural}/${info.subresource}`];
  if (!reader || info.kind.group !== "") return undefined;
  const { kind, read } = reader;
  return { apiVersion: "v1", kind, ...read(query, info) } as unknown as KubeObject;
}
