// Subresources that are more than a part of their object.
import { StatusError } from "../lib/status-error.ts";
import type { Call } from "./core.ts";
import { isPart } from "./parts.ts";
import type { ApiResponse } from "./request.ts";
import { bind, bindNamed } from "./subresources/binding.ts";
import { evict } from "./subresources/eviction.ts";
import { scale } from "./subresources/scale.ts";
import { resourceNameOf } from "./stored.ts";

type Handler = (call: Call) => Promise<ApiResponse>;

const handlers: Record<string, Handler> = {
  "bindings/": bindNamed,
  "pods/binding": bind,
  "pods/eviction": evict,
};

/** The handler of the call's subresource; undefined when its verb does the work. */
export function subresourceHandler(call: Call): Handler | undefined {
  const { kind, info } = call;
  const handler = handlers[`${resourceNameOf(kind)}/${info.subresource}`];
  if (handler) return handler;
  if (info.subresource === "scale") return scale;
  const part = isPart(kind, info.subresource);
  if (part && info.subresource !== "" && !["get", "update", "patch"].includes(info.verb)) {
    throw new StatusError(
      "MethodNotAllowed",
      "the server does not allow this method on the requested resource",
    );
  }
  return undefined;
}
