// Pods leave devices that a taint with NoExecute befell, unless their claim tolerates it (upstream's
// device-taint-eviction controller, KEP-5055).
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import type { Taint, Toleration } from "../lib/taint.ts";
import { evictionDelayMs } from "./node-lifecycle/plan.ts";
import { hasFinished, isTerminating } from "./pod-state.ts";
import { resourceClaims } from "./resource-claim.ts";
import { perContext } from "./per-context.ts";
import type { Controller, ControllerContext } from "./runtime.ts";
import { evictTainted } from "./taint-eviction.ts";

const pods = resource("v1", "pods");
const slices = resource("resource.k8s.io/v1", "resourceslices");

interface Result {
  driver: string;
  pool: string;
  device: string;
  tolerations?: Toleration[];
}

const byPool = "device-pool";

const poolOf = (driver: string, pool: string) => `${driver}/${pool}`;

const resultsOf = ({ status }: KubeObject): Result[] => status?.allocation?.devices?.results ?? [];

/** Taints of a claim's devices, and when each was first seen, monotonic, by the claim's key. */
const memoryOf = perContext(() => new Map<string, Map<string, number>>());

interface Befallen {
  taint: Taint;
  tolerations: Toleration[] | undefined;
  /** For how long, as far as is known. */
  ms: number;
}

/** After how long the claim's pods must be gone; undefined for never. Pure. */
export function leftMs(befallen: readonly Befallen[]): number | undefined {
  const left = befallen.flatMap(({ taint, tolerations, ms }) => {
    const delay = evictionDelayMs(tolerations, [taint]);
    return delay === undefined ? [] : [delay - ms];
  });
  return left.length === 0 ? undefined : Math.min(...left);
}

function befallenOf(key: string, claim: KubeObject, context: ControllerContext): Befallen[] {
  const before = memoryOf(context).get(key);
  const seen = new Map<string, number>();
  const now = context.clock.monotonic();
  const befallen = resultsOf(claim).flatMap(({ driver, pool, device, tolerations }) =>
    context
      .informer(slices)
      .byIndex(byPool, poolOf(driver, pool))
      .flatMap(({ spec }) => spec.devices ?? [])
      .filter(({ name }: { name: string }) => name === device)
      .flatMap(({ taints = [] }: { taints?: Taint[] }) => taints)
      .map((taint: Taint) => {
        const id = JSON.stringify([driver, pool, device, taint.key, taint.value, taint.effect]);
        const since = before?.get(id) ?? now;
        seen.set(id, since);
        return { taint, tolerations, ms: now - since };
      }),
  );
  if (seen.size > 0) memoryOf(context).set(key, seen);
  else memoryOf(context).delete(key);
  return befallen;
}

async function reconcile(key: string, context: ControllerContext) {
  const [namespace, name] = key.split("/") as [string, string];
  const claim = context.informer(resourceClaims).get(name, namespace);
  if (!claim) return void memoryOf(context).delete(key);
  const left = leftMs(befallenOf(key, claim, context));
  if (left === undefined) return;
  if (left > 0) return context.wakeAfter(key, left);
  for (const { name: podName, uid } of claim.status?.reservedFor ?? []) {
    const pod = context.informer(pods).get(podName, namespace);
    if (!pod || pod.metadata.uid !== uid || isTerminating(pod) || hasFinished(pod)) continue;
    await evictTainted(pod, "device", context);
  }
}

export const deviceTaintEviction: Controller = {
  name: "device-taint-eviction",
  inputs: [
    { resource: resourceClaims },
    {
      resource: slices,
      keys: ({ spec }, context) =>
        context
          .informer(resourceClaims)
          .byIndex(byPool, poolOf(spec.driver, spec.pool.name))
          .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    },
    { resource: pods, keys: () => [] },
  ],
  outputs: [pods, resource("v1", "pods/status")],
  start(context) {
    context
      .informer(resourceClaims)
      .addIndex(byPool, (claim) => resultsOf(claim).map((one) => poolOf(one.driver, one.pool)));
    context.informer(slices).addIndex(byPool, ({ spec }) => [poolOf(spec.driver, spec.pool.name)]);
  },
  reconcile,
};
