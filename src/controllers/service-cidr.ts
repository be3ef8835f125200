// Ranges of Service addresses. One that is deleted stays as long as an address of it is in use that no other
// range covers.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { covers } from "../lib/ip-range.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const serviceCidrs = resource("networking.k8s.io/v1", "servicecidrs");
export const ipAddresses = resource("networking.k8s.io/v1", "ipaddresses");

const finalizer = "networking.k8s.io/service-cidr-finalizer";
const fieldManager = "service-cidr-controller";

const hasAddress = (cidr: KubeObject, address: string) =>
  (cidr.spec?.cidrs ?? []).some((one: string) => covers(one, address));

/** The addresses that would be nobody's without `cidr`. Pure. */
export function heldBy(cidr: KubeObject, cidrs: KubeObject[], addresses: string[]): string[] {
  const others = cidrs.filter(
    ({ metadata }) =>
      metadata.deletionTimestamp === undefined && metadata.name !== cidr.metadata.name,
  );
  return addresses.filter(
    (address) => hasAddress(cidr, address) && !others.some((other) => hasAddress(other, address)),
  );
}

const ready = { status: "True", reason: "", message: "Kubernetes Service CIDR is ready" };
const terminating = {
  status: "False",
  reason: "Terminating",
  message:
    "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR",
};

async function tell(cidr: KubeObject, wanted: typeof ready, { client, clock }: ControllerContext) {
  const now = cidr["status"]?.conditions?.find(({ type }: any) => type === "Ready");
  if (now?.status === wanted.status && now.reason === wanted.reason) return;
  const lastTransitionTime = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
  const conditions = [{ type: "Ready", ...wanted, lastTransitionTime }];
  const target = { ...serviceCidrs, name: cidr.metadata.name, subresource: "status" };
  await client.patch(target, "merge", { status: { conditions } } as never, { fieldManager });
}

async function setFinalizers(
  cidr: KubeObject,
  finalizers: string[],
  { client }: ControllerContext,
) {
  const { name, resourceVersion } = cidr.metadata;
  const patch = { metadata: { finalizers, resourceVersion } };
  await client.patch({ ...serviceCidrs, name }, "merge", patch as never, { fieldManager });
}

async function reconcile(name: string, context: ControllerContext) {
  const cidr = context.informer(serviceCidrs).get(name);
  if (!cidr) return;
  const { finalizers = [], deletionTimestamp } = cidr.metadata;
  if (deletionTimestamp === undefined) {
    if (!finalizers.includes(finalizer)) {
      await setFinalizers(cidr, [...finalizers, finalizer], context);
    }
    return tell(cidr, ready, context);
  }
  if (!finalizers.includes(finalizer)) return;
  const addresses = context.informer(ipAddresses).list();
  const names = addresses.map(({ metadata }) => metadata.name);
  const held = heldBy(cidr, context.informer(serviceCidrs).list(), names);
  if (held.length > 0) return tell(cidr, terminating, context);
  const left = finalizers.filter((one) => one !== finalizer);
  await setFinalizers(cidr, left, context);
}

export const serviceCidr: Controller = {
  name: "service-cidr",
  inputs: [
    {
      resource: serviceCidrs,
      // What one range no longer needs another may have waited for.
      keys: (_, { informer }) =>
        informer(serviceCidrs)
          .list()
          .map(({ metadata }) => metadata.name),
    },
    {
      resource: ipAddresses,
      keys: ({ metadata }, { informer }) =>
        informer(serviceCidrs)
          .list()
          .filter((cidr) => cidr.metadata.deletionTimestamp && hasAddress(cidr, metadata.name))
          .map((cidr) => cidr.metadata.name),
    },
  ],
  outputs: [serviceCidrs],
  reconcile: (name, context) =>
    reconcile(name, context).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    }),
};
