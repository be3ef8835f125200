// Scale to zero: a Service that names a Deployment in place of a selector is answered by this process, which
// wakes the Deployment when somebody asks. A sleeping one costs a listening socket and its objects.
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import type { Informer } from "../../client/informer.ts";
import type { Informers } from "../../client/informers.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import { familyOf } from "../../lib/ip-range.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import { Sleeper } from "./sleeper.ts";

export const activatorAnnotations = {
  deployment: "kerb.dev/scale-to-zero",
  idleSeconds: "kerb.dev/idle-seconds",
} as const;

const idleSecondsDefault = 60;
const services = resource("v1", "services");
const pods = resource("v1", "pods");
const deployments = resource("apps/v1", "deployments");
const slices = resource("discovery.k8s.io/v1", "endpointslices");

export interface ActivatorOptions {
  client: Client;
  informers: Informers;
  /** Services lead there. */
  address: string;
  /** Where it listens, if not there. */
  listenAddress?: string;
  clock: Clock;
  log: Log;
  scope: Scope;
}

interface Plan {
  deployment: string;
  idleMs: number;
  ports: { name?: string; port: number; targetPort: number }[];
}

/** What a Service asks for; undefined where it is not ours. Pure. */
export function planOf({ metadata, spec }: KubeObject): Plan | undefined {
  const annotations = metadata.annotations ?? {};
  const deployment = annotations[activatorAnnotations.deployment];
  if (!deployment || Object.keys(spec?.selector ?? {}).length > 0) return undefined;
  const seconds = Number(annotations[activatorAnnotations.idleSeconds] ?? idleSecondsDefault);
  const ports = (spec?.ports ?? []).filter(
    ({ protocol = "TCP", targetPort, port }: any) =>
      protocol === "TCP" && Number.isInteger(targetPort ?? port),
  );
  return {
    deployment,
    idleMs: (seconds > 0 ? seconds : idleSecondsDefault) * 1000,
    ports: ports.map(({ name, port, targetPort }: any) => ({
      ...(name && { name }),
      port,
      targetPort: targetPort ?? port,
    })),
  };
}

const isReady = ({ metadata, status }: KubeObject) =>
  !metadata.deletionTimestamp &&
  status?.conditions?.some((one: any) => one.type === "Ready" && one.status === "True");

const keyOf = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`;

interface Known {
  text: string;
  namespace: string;
  plan: Plan;
  sleepers: Sleeper[];
}

class Activator {
  readonly #options: ActivatorOptions;
  readonly #known = new Map<string, Known>();
  readonly #pods;
  readonly #deployments;

  constructor(options: ActivatorOptions) {
    this.#options = options;
    this.#pods = options.informers.get({ resource: pods });
    this.#deployments = options.informers.get({ resource: deployments });
  }

  async start() {
    const { informers, scope } = this.#options;
    const all = informers.get({ resource: services });
    await Promise.all([all.synced(), this.#pods.synced(), this.#deployments.synced()]);
    const see = (service: KubeObject) => void this.#see(service);
    const gone = (service: KubeObject) => this.#forget(keyOf(service));
    scope.defer(all.subscribe({ onAdd: see, onUpdate: see, onDelete: gone }));
    const follow = (informer: Informer, isOf: (known: Known, object: KubeObject) => boolean) => {
      const look = (object: KubeObject) => {
        for (const known of this.#known.values()) {
          if (known.namespace !== object.metadata.namespace || !isOf(known, object)) continue;
          for (const one of known.sleepers) one.look();
        }
      };
      scope.defer(informer.subscribe({ onAdd: look, onUpdate: look, onDelete: look }));
    };
    follow(this.#deployments, ({ plan }, { metadata }) => plan.deployment === metadata.name);
    follow(this.#pods, ({ namespace, plan }, pod) => this.#isOwn(namespace, plan.deployment, pod));
    scope.defer(() => {
      for (const key of this.#known.keys()) this.#forget(key);
    });
  }

  #forget(key: string) {
    for (const sleeper of this.#known.get(key)?.sleepers ?? []) sleeper.stop();
    this.#known.delete(key);
  }

  async #see(service: KubeObject) {
    const key = keyOf(service);
    const plan = planOf(service);
    const text = JSON.stringify(plan);
    if (this.#known.get(key)?.text === text) return;
    this.#forget(key);
    if (!plan) return;
    const namespace = service.metadata.namespace!;
    const sleepers = plan.ports.map(({ targetPort }) => this.#sleeper(namespace, plan, targetPort));
    this.#known.set(key, { text, namespace, plan, sleepers });
    try {
      const { address, listenAddress = address } = this.#options;
      const ports = await Promise.all(sleepers.map((one) => one.listen(listenAddress)));
      await this.#tell(service, plan, ports);
    } catch (error) {
      this.#forget(key);
      this.#failed(key)(error as Error);
    }
  }

  #failed = (service: string) => (error: Error) =>
    this.#options.log.warn("a service that sleeps is not served", {
      service,
      error: error.message,
    });

  /** Whether a pod of the same namespace is a Deployment's. */
  #isOwn(namespace: string, deployment: string, { metadata }: KubeObject): boolean {
    const { spec } = this.#deployments.get(`${namespace}/${deployment}`) ?? {};
    const labels = Object.entries<string>(spec?.selector?.matchLabels ?? {});
    return labels.length > 0 && labels.every(([key, value]) => metadata.labels?.[key] === value);
  }

  #sleeper(namespace: string, { deployment: name, idleMs }: Plan, port: number): Sleeper {
    const { client, clock } = this.#options;
    const deployment = () => this.#deployments.get(`${namespace}/${name}`);
    const isOwn = (pod: KubeObject) =>
      pod.metadata.namespace === namespace && this.#isOwn(namespace, name, pod);
    return new Sleeper({
      port,
      idleMs,
      clock,
      replicas: () => deployment()?.spec?.replicas,
      // Nothing runs for one that sleeps, and most do.
      ready: () =>
        deployment()?.spec?.replicas
          ? this.#pods
              .list()
              .filter((pod) => isOwn(pod) && isReady(pod))
              .flatMap((pod) => pod.status?.podIP ?? [])
          : [],
      scale: async (replicas) => {
        const target = { ...deployments, namespace, name, subresource: "scale" };
        await client.patch(target, "merge", { spec: { replicas } });
      },
      onFailure: this.#failed(`${namespace}/${name}`),
    });
  }

  /** Says that the Service is served here. */
  async #tell({ metadata }: KubeObject, { ports }: Plan, listening: number[]) {
    const { client, address } = this.#options;
    const { namespace = "", name, uid } = metadata;
    const slice = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: `${name}-activator`,
        namespace,
        labels: {
          "kubernetes.io/service-name": name,
          "endpointslice.kubernetes.io/managed-by": "activator.kerb.dev",
        },
        ownerReferences: [{ apiVersion: "v1", kind: "Service", name, uid }],
      },
      addressType: familyOf(address),
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
      ports: ports.map((port, i) => ({
        name: port.name ?? "",
        protocol: "TCP",
        port: listening[i]!,
      })),
    };
    const target = { ...slices, namespace, name: slice.metadata.name };
    await client.create({ ...slices, namespace }, slice).catch(async (error: unknown) => {
      if (!isStatus(error, "AlreadyExists")) throw error;
      const { ports: changed, endpoints } = slice;
      await client.patch(target, "merge", { ports: changed, endpoints });
    });
  }
}

/** Resolves once it follows the Services. */
export async function startActivator(options: ActivatorOptions): Promise<void> {
  await new Activator(options).start();
}
