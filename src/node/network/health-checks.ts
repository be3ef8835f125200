// Answers load balancers that ask whether this node has endpoints of its own: Services of type LoadBalancer
// whose outside traffic stays on the node that gets it have a port for that (`healthCheckNodePort`).
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { KubeObject } from "../../kinds/object.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { localEndpoints } from "./service-rules.ts";

export interface HealthCheck {
  namespace: string;
  name: string;
  port: number;
  localEndpoints: number;
}

/** The ports that must answer on these nodes, and with what. Pure. */
export function healthChecksOf(
  services: KubeObject[],
  slicesOf: (service: KubeObject) => KubeObject[],
  nodes: readonly string[],
): HealthCheck[] {
  return services
    .filter(({ spec }) => spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local")
    .filter(({ spec }) => spec.healthCheckNodePort > 0)
    .map((service) => ({
      namespace: service.metadata.namespace!,
      name: service.metadata.name,
      port: service.spec.healthCheckNodePort,
      localEndpoints: localEndpoints(slicesOf(service), nodes),
    }));
}

/** What kube-proxy answers. Pure. */
export function healthAnswer({ namespace, name, localEndpoints: count }: HealthCheck) {
  return {
    status: count > 0 ? 200 : 503,
    body: { service: { namespace, name }, localEndpoints: count, serviceProxyHealthy: true },
  };
}

export class HealthChecks {
  readonly #log: Log;
  readonly #open = new Map<number, { server: Server; check: HealthCheck }>();

  constructor(log: Log, scope: Scope) {
    this.#log = log;
    scope.defer(() => this.follow([]));
  }

  /** Opens and closes ports so that exactly these answer. */
  follow(checks: HealthCheck[]) {
    const wanted = new Map(checks.map((check) => [check.port, check]));
    for (const [port, { server }] of this.#open) {
      if (wanted.has(port)) continue;
      server.close();
      server.closeAllConnections();
      this.#open.delete(port);
    }
    for (const check of wanted.values()) {
      const known = this.#open.get(check.port);
      if (known) known.check = check;
      else this.#listen(check);
    }
  }

  #listen(check: HealthCheck) {
    const server = createServer((_, response) => {
      const { status, body } = healthAnswer(this.#open.get(check.port)?.check ?? check);
      response.writeHead(status, {
        "Content-Type": "application/json",
        "X-Content-Type-Options": "nosniff",
        "X-Load-Balancing-Endpoint-Weight": body.localEndpoints,
      });
      response.end(JSON.stringify(body));
    });
    server.on("error", (error) => {
      this.#log.warn("a health check port is not open", { port: check.port, error: error.message });
      // Tried again when the Service changes next.
      this.#open.delete(check.port);
    });
    server.listen(check.port);
    this.#open.set(check.port, { server, check });
  }
}
