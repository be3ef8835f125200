// Paths that name no resource: version, health, metrics, discovery and OpenAPI.
import { StatusError } from "../lib/status-error.ts";
import type { Core } from "./core.ts";
import { discovery } from "./discovery/discovery.ts";
import type { Health } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import { openApi } from "./openapi/openapi.ts";
import type { ApiRequest, ApiResponse } from "./request.ts";

export interface HasHealth {
  health: Health;
}

export const version = {
  major: "1",
  minor: "36",
  emulationMajor: "1",
  emulationMinor: "36",
  minCompatibilityMajor: "1",
  minCompatibilityMinor: "35",
  gitVersion: "v1.36.0+kerb",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "node",
  platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
};

export async function pathHandler(
  core: Core & HasHealth,
  metrics: Metrics,
  request: ApiRequest,
): Promise<ApiResponse> {
  const segments = request.path.split("/").filter((segment) => segment !== "");
  const [first = ""] = segments;
  if (request.method !== "GET" && request.method !== "HEAD") {
    throw new StatusError(
      "MethodNotAllowed",
      "the server does not allow this method on the requested resource",
    );
  }
  if (first === "version" && segments.length === 1) return { code: 200, object: version };
  if (first === "metrics" && segments.length === 1) {
    const { registry } = metrics;
    return {
      code: 200,
      headers: { "content-type": registry.contentType },
      bytes: Buffer.from(await registry.metrics()),
    };
  }
  const answer =
    first === "openapi"
      ? await openApi(core, segments.slice(1), request)
      : ((await core.health.answer(segments, request)) ?? discovery(core, segments, request));
  if (answer) return answer;
  throw new StatusError("NotFound", "the server could not find the requested resource", {
    details: {},
  });
}
