// Paths that name no resource: version, health, metrics, discovery and OpenAPI.
import { StatusError } from "../lib/status-error.ts";
import type { Core } from "./core.ts";
import { discovery } from "./discovery/discovery.ts";
import type { Metrics } from "./metrics.ts";
import { openApi } from "./openapi/openapi.ts";
import type { ApiRequest, ApiResponse } from "./request.ts";

/** Named checks of /readyz and /livez; each returns undefined when well, else what is wrong. */
export type HealthChecks = Map<string, () => string | undefined>;

export interface HasHealth {
  healthChecks: HealthChecks;
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

const text = (code: number, body: string): ApiResponse => ({
  code,
  headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  bytes: Buffer.from(body),
});

function health(core: HasHealth, endpoint: string, request: ApiRequest): ApiResponse {
  const excluded = new Set(request.query.getAll("exclude"));
  const lines: string[] = ["[+]ping ok"];
  let well = true;
  for (const [name, check] of core.healthChecks) {
    const wrong = excluded.has(name) ? undefined : check();
    if (wrong) well = false;
    lines.push(wrong ? `[-]${name} failed: ${wrong}` : `[+]${name} ok`);
  }
  if (!well) return text(500, `${lines.join("\n")}\n${endpoint} check failed\n`);
  const verbose = request.query.has("verbose");
  return text(200, verbose ? `${lines.join("\n")}\n${endpoint} check passed\n` : "ok");
}

const healthEndpoints = new Set(["healthz", "livez", "readyz"]);

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
  if (healthEndpoints.has(first) && segments.length === 1) return health(core, first, request);
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
      : discovery(core, segments, request);
  if (answer) return answer;
  throw new StatusError("NotFound", "the server could not find the requested resource", {
    details: {},
  });
}
