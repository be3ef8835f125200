// Answers that are objects, in the binary form for those who ask for it. The tables of fields are loaded by
// the first who does.
import type { Kind } from "../../kinds/kind.ts";
import { protobufType } from "../body.ts";
import { negotiate } from "../negotiate.ts";
import type { ApiRequest, ApiResponse } from "../request.ts";
import { isCustom } from "../root-schema.ts";

/** Undefined for objects that have no binary form. */
export async function protobufAnswer(response: ApiResponse): Promise<ApiResponse | undefined> {
  const { encodeProtobuf, hasProtobuf } = await import("./encode.ts");
  const { object, ...rest } = response;
  if (!hasProtobuf(object as any)) return undefined;
  const headers = { ...response.headers, "content-type": protobufType };
  return { ...rest, headers, bytes: encodeProtobuf(object as any) };
}

export const takesProtobuf = ({ headers, decoded }: ApiRequest) =>
  !decoded && headers["accept"]?.includes(protobufType) === true;

/** The answer as the caller accepts it; errors that a verb answers itself stay as they are. */
export async function inAcceptedForm(
  request: ApiRequest,
  kind: Kind,
  response: ApiResponse,
): Promise<ApiResponse> {
  const { accept } = request.headers;
  if (response.object === undefined || response.bytes) return response;
  if (negotiate(accept, { custom: isCustom(kind) }).format !== "protobuf") return response;
  return (await protobufAnswer(response)) ?? response;
}
