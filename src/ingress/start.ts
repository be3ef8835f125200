// The ingress wing: Ingresses and Gateways of the class `kerb`. Whatever changes, the whole is planned anew,
// ports open and close as the plan has it, and objects are told what became of them.
import { ensureDefinitions } from "../client/definitions.ts";
import type { Client, Resource } from "../client/client.ts";
import type { Informer } from "../client/informer.ts";
import type { Informers } from "../client/informers.ts";
import type { KubeObject } from "../kinds/object.ts";
import type { Cancel, Clock } from "../lib/clock.ts";
import { differs } from "../lib/differs.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Scope } from "../lib/scope.ts";
import { isStatus } from "../lib/status-error.ts";
import { endpointsOf } from "./backends.ts";
import { planGateways } from "./gateway-plan.ts";
import type { GatewayPlan } from "./gateway-plan.ts";
import { conditions, gatewayStatus, routeStatus } from "./gateway-status.ts";
import { ingressListeners, oursOf } from "./ingress-routes.ts";
import type { IngressPorts } from "./ingress-routes.ts";
import { className, controllerName, gatewayDefinitions, resources } from "./kinds/resources.ts";
import type { Backend, Certificate, Listener } from "./model.ts";
import { IngressServer } from "./server.ts";

export interface IngressOptions {
  client: Client;
  informers: Informers;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
  /** The machine's ports for 80 and 443. */
  ports: IngressPorts;
  /** Where they listen. */
  address: string;
  /** Ports of the machine that are the site's own. */
  reserved: ReadonlySet<number>;
  nodeName: string;
}

const gatherMs = 30;
const retryMs = 2000;

type Inputs = Record<keyof typeof resources, Informer>;

const decoded = (text: string | undefined) => Buffer.from(text ?? "", "base64").toString();

class Ingress {
  readonly #options: IngressOptions;
  readonly #of: Inputs;
  readonly #servers = new Map<number, IngressServer>();
  #listeners: Listener[] = [];
  #pending: Cancel | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: IngressOptions) {
    this.#options = options;
    const { informers } = options;
    const all = Object.entries(resources).map(([name, of]) => [
      name,
      informers.get({ resource: of }),
    ]);
    this.#of = Object.fromEntries(all) as Inputs;
  }

  async start() {
    const { scope } = this.#options;
    const all = Object.values(this.#of);
    await Promise.all(all.map((informer) => informer.synced()));
    const wake = () => this.#soon(gatherMs);
    for (const informer of all) {
      scope.defer(informer.subscribe({ onAdd: wake, onUpdate: wake, onDelete: wake }));
    }
    scope.defer(() => this.#stop());
  }

  async #stop() {
    this.#pending?.();
    await this.#running;
    for (const server of this.#servers.values()) server.close();
  }

  #soon(ms: number) {
    const { clock, log, scope } = this.#options;
    this.#pending ??= clock.after(ms, () => {
      this.#pending = undefined;
      this.#running = this.#running
        .then(() => this.#sync())
        .catch((error: Error) => {
          if (scope.closed) return;
          log.warn("ingress was not brought up to date", { error: error.message });
          this.#soon(retryMs);
        });
    });
  }

  #certificate(namespace: string, name: string): Certificate | undefined {
    const data = this.#of.secrets.get(name, namespace)?.["data"] ?? {};
    const [cert, key] = [decoded(data["tls.crt"]), decoded(data["tls.key"])];
    return cert.includes("BEGIN") && key.includes("BEGIN") ? { cert, key } : undefined;
  }

  #endpoints({ namespace, service, port }: Backend) {
    const slices = this.#of.endpointSlices
      .list(namespace)
      .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === service);
    return endpointsOf(this.#of.services.get(service, namespace), slices, port);
  }

  #portOf(port: number): number | undefined {
    const { ports, reserved } = this.#options;
    const own = port === 80 ? ports.http : port === 443 ? ports.https : port;
    return reserved.has(own) ? undefined : own;
  }

  #classes() {
    return this.#of.gatewayClasses
      .list()
      .filter(({ spec }) => spec.controllerName === controllerName);
  }

  #plan(): GatewayPlan {
    const classes = new Set(this.#classes().map(({ metadata }) => metadata.name));
    return planGateways({
      gateways: this.#of.gateways.list().filter(({ spec }) => classes.has(spec.gatewayClassName)),
      routes: this.#of.httpRoutes.list(),
      grants: this.#of.referenceGrants.list(),
      namespaceLabels: (name) => this.#of.namespaces.get(name)?.metadata.labels,
      certificate: (namespace, name) => this.#certificate(namespace, name),
      hasServicePort: (namespace, service, port) =>
        this.#of.services
          .get(service, namespace)
          ?.spec.ports?.some((one: any) => one.port === port) === true,
      portOf: (port) => this.#portOf(port),
    });
  }

  async #sync() {
    const { ports } = this.#options;
    const ingresses = oursOf(this.#of.ingresses.list(), this.#of.ingressClasses.list());
    const plan = this.#plan();
    const certificate = (namespace: string, name: string) => this.#certificate(namespace, name);
    this.#listeners = [...ingressListeners(ingresses, certificate, ports), ...plan.listeners];
    await this.#open();
    await this.#tell(ingresses, plan);
  }

  /** A port speaks TLS when a listener of it has a certificate. */
  async #open() {
    const wanted = new Map<number, boolean>();
    for (const { port, certificate } of this.#listeners) {
      wanted.set(port, certificate !== undefined || wanted.get(port) === true);
    }
    for (const [port, server] of this.#servers) {
      if (wanted.get(port) === server.isSecure) continue;
      server.close();
      this.#servers.delete(port);
    }
    const { address, log } = this.#options;
    for (const [port, isSecure] of wanted) {
      if (this.#servers.has(port)) continue;
      const options = {
        ...this.#options,
        listeners: () => this.#listeners,
        endpoints: (backend: Backend) => this.#endpoints(backend),
      };
      const server = new IngressServer(options, port, isSecure);
      try {
        await server.listen(address);
        this.#servers.set(port, server);
      } catch (error) {
        log.warn("a port is not open", { port, error: (error as Error).message });
        this.#soon(retryMs);
      }
    }
  }

  /** Where clients reach this machine. */
  #addresses(): string[] {
    const all: any[] = this.#of.nodes.get(this.#options.nodeName)?.status?.addresses ?? [];
    const of = (type: string) => all.find((one) => one.type === type)?.address;
    return [of("ExternalIP") ?? of("InternalIP")].filter((one) => one !== undefined);
  }

  async #tell(ingresses: KubeObject[], plan: GatewayPlan) {
    const { clock } = this.#options;
    const addresses = this.#addresses();
    const now = clock.now();
    for (const ingress of ingresses) {
      const status = { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } };
      await this.#write(resources.ingresses, ingress, status);
    }
    for (const one of this.#classes()) {
      const accepted = { type: "Accepted", status: true, reason: "Accepted" };
      const generation = Number(one.metadata["generation"] ?? 1);
      const before = one.status?.conditions;
      const status = { conditions: conditions([accepted], before, generation, now) };
      await this.#write(resources.gatewayClasses, one, status);
    }
    for (const one of plan.gateways) {
      await this.#write(resources.gateways, one.gateway, gatewayStatus(one, addresses, now));
    }
    const planned = new Set(plan.routes.map(({ route }) => route));
    const left = this.#of.httpRoutes.list().filter((route) => !planned.has(route));
    for (const one of [...plan.routes, ...left.map((route) => ({ route, parents: [] }))]) {
      await this.#write(resources.httpRoutes, one.route, routeStatus(one, now));
    }
  }

  async #write(of: Resource, object: KubeObject, status: object) {
    if (!differs(status, object.status ?? {})) return;
    const { name, namespace } = object.metadata;
    const target = { ...of, ...(namespace && { namespace }), name, subresource: "status" };
    await this.#options.client.patch(target, "merge", { status }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
  }
}

const classAnnotation = "ingressclass.kubernetes.io/is-default-class";

async function ensureClasses(client: Client) {
  const drafts: [Resource, object][] = [
    [
      resources.ingressClasses,
      {
        apiVersion: "networking.k8s.io/v1",
        kind: "IngressClass",
        metadata: { name: className, annotations: { [classAnnotation]: "true" } },
        spec: { controller: controllerName },
      },
    ],
    [
      resources.gatewayClasses,
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "GatewayClass",
        metadata: { name: className },
        spec: { controllerName: controllerName },
      },
    ],
  ];
  for (const [of, draft] of drafts) {
    await client.create(of, draft as any).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists")) throw error;
    });
  }
}

/** Resolves once the kinds are served and what they say is followed. */
export async function startIngress(options: IngressOptions) {
  await ensureDefinitions(options.client, options.clock, gatewayDefinitions);
  await ensureClasses(options.client);
  await new Ingress(options).start();
}
