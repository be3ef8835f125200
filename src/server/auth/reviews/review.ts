// What all reviews share: the object that was sent, with an answer in its status, stored nowhere.
import { isObject } from "../../../lib/json.ts";
import { invalid } from "../../../lib/status-error.ts";
import { decodeBody } from "../../body.ts";
import type { HandlerContext } from "../../policy.ts";
import type { ApiResponse } from "../../request.ts";
import { apiVersionOf } from "../../../kinds/kind.ts";

/** The review's spec. */
export function specOf({ request }: HandlerContext): Record<string, any> {
  const { spec } = decodeBody(request);
  return isObject(spec) ? spec : {};
}

export const answer = (
  { info, request }: HandlerContext,
  spec: object | undefined,
  status: object,
): ApiResponse => ({
  code: 201,
  object: {
    kind: info.kind.kind,
    apiVersion: apiVersionOf(info.kind),
    metadata: (request.body && decodeBody(request).metadata) ?? {},
    ...(spec && { spec }),
    status,
  },
});

export const invalidSpec = ({ info }: HandlerContext, field: string, message: string) =>
  invalid(info.kind.kind, info.kind.group, "", [{ type: "FieldValueInvalid", field, message }]);
