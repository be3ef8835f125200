// `kubectl logs`: checks the options and passes the node's stream on.
import type { LogOptions } from "../../lib/node-connection.ts";
import { badRequest, type FieldError, invalid } from "../../lib/status-error.ts";
import type { SubresourceHandler } from "../policy.ts";
import { isTrue } from "../request-info.ts";
import { addressOf, connectionTo, containerOf, findPod } from "./pod-target.ts";

const streams = ["All", "Stdout", "Stderr"];

function integerOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^[+-]?\d+$/.test(text)) {
    throw badRequest(`unable to parse query parameter ${name}: ${JSON.stringify(text)}`);
  }
  return Number(text);
}

function check(options: LogOptions): FieldError[] {
  const errors: FieldError[] = [];
  const atLeast = (field: "tailLines" | "sinceSeconds" | "limitBytes", minimum: number) => {
    const value = options[field];
    if (value === undefined || value >= minimum) return;
    const message = `Invalid value: ${value}: must be greater than or equal to ${minimum}`;
    errors.push({ type: "FieldValueInvalid", field, message });
  };
  atLeast("tailLines", 0);
  atLeast("limitBytes", 1);
  atLeast("sinceSeconds", 1);
  const { sinceTime, sinceSeconds, stream, tailLines } = options;
  if (sinceTime !== undefined && sinceSeconds !== undefined) {
    const message = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified";
    errors.push({ type: "FieldValueForbidden", field: "", message });
  }
  if (sinceTime !== undefined && Number.isNaN(Date.parse(sinceTime))) {
    const message = `Invalid value: ${JSON.stringify(sinceTime)}: must be an RFC 3339 time`;
    errors.push({ type: "FieldValueInvalid", field: "sinceTime", message });
  }
  if (stream !== undefined && !streams.includes(stream)) {
    const supported = streams.map((one) => JSON.stringify(one)).join(", ");
    const message = `Unsupported value: ${JSON.stringify(stream)}: supported values: ${supported}`;
    errors.push({ type: "FieldValueNotSupported", field: "stream", message });
  }
  if (tailLines !== undefined && stream !== undefined && stream !== "All") {
    const message = "Forbidden: `tailLines` and specific `stream` are mutually exclusive for now";
    errors.push({ type: "FieldValueForbidden", field: "", message });
  }
  return errors;
}

/** Reads `v1 PodLogOptions` from a query. Throws BadRequest and Invalid. */
export function logOptions(query: URLSearchParams, pod: string): LogOptions {
  const text = (name: string) => query.get(name) || undefined;
  const options = Object.fromEntries(
    Object.entries({
      follow: isTrue(query.get("follow")),
      previous: isTrue(query.get("previous")),
      timestamps: isTrue(query.get("timestamps")),
      sinceSeconds: integerOf(query, "sinceSeconds"),
      sinceTime: text("sinceTime"),
      tailLines: integerOf(query, "tailLines"),
      limitBytes: integerOf(query, "limitBytes"),
      stream: text("stream"),
    }).filter(([, value]) => value !== undefined),
  ) as LogOptions;
  const errors = check(options);
  if (errors.length > 0) throw invalid("PodLogOptions", "", pod, errors);
  return options;
}

const headers = { "content-type": "text/plain" };

export const podLog: SubresourceHandler = async (context) => {
  const { request, server } = context;
  const pod = await findPod(context);
  const options = logOptions(request.query, pod.metadata.name);
  const container = containerOf(pod, request.query.get("container"));
  // A pod that no node has yet has said nothing.
  if (!pod.spec.nodeName) return { code: 200, headers, bytes: Buffer.alloc(0) };
  const node = await connectionTo(server, pod);
  const stream = await node.logs(addressOf(pod), container, options, request.signal);
  return { code: 200, headers, stream };
};
