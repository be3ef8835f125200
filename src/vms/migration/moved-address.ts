// A guest is known by one address however often it moves: that of its first pod. What a pod's network is behind is
// another one then (lib/moved-address.ts).
import { apply } from "../../client/apply.ts";
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { familyOf } from "../../lib/ip-range.ts";
import { movedAddress, movedLabel, movedMetadata } from "../../lib/moved-address.ts";
import { isStatus } from "../../lib/status-error.ts";
import type { Domain } from "../domain.ts";
import { domainAnnotation } from "../domain.ts";
import { pods } from "../kinds/resources.ts";

const ipAddresses = resource("networking.k8s.io/v1", "ipaddresses");

/** Guests behind a pod's address have that of IPv4. */
export const guestAddress = ({ status }: KubeObject): string | undefined =>
  (status?.podIPs ?? []).map(({ ip }: any) => ip).find((ip: string) => familyOf(ip) === "IPv4");

interface Move {
  vmi: KubeObject;
  target: KubeObject;
  /** Of the target, as it was made. */
  through: string;
}

/** What leads to the guest from now on. Pure; undefined where its address stays behind. */
export function movedObject({ vmi, target, through }: Move) {
  const text = target.metadata.annotations?.[domainAnnotation];
  const { address, interfaces } = JSON.parse(text ?? "{}") as Partial<Domain>;
  if (!address || !interfaces?.some(({ binding }) => binding === "masquerade")) return undefined;
  const { namespace, name } = vmi.metadata;
  const node: string = target.spec.nodeName;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "IPAddress",
    metadata: movedMetadata({ address, node, podUid: target.metadata.uid, through }),
    spec: {
      parentRef: { group: "kubevirt.io", resource: "virtualmachineinstances", namespace, name },
    },
  };
}

/** Asked again it changes nothing. */
export async function moveAddress(client: Client, move: Move) {
  const object = movedObject(move);
  if (object) await apply(client, ipAddresses, object, { fieldManager: "kerb-vms" });
}

const runs = ({ status }: KubeObject) =>
  status?.phase !== "Succeeded" && status?.phase !== "Failed";

async function reconcile(address: Key, { client, informer }: ControllerContext) {
  const object = informer(ipAddresses).get(address);
  const moved = object && movedAddress(object);
  if (!moved) return;
  const pod = informer(pods)
    .list(object["spec"].parentRef.namespace)
    .find(({ metadata }) => metadata.uid === moved.podUid);
  if (pod && runs(pod)) return;
  const { uid, resourceVersion } = object.metadata;
  await client
    .delete({ ...ipAddresses, name: address }, { preconditions: { uid, resourceVersion } })
    .catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
}

/** An address is free again once the pod that has it is gone. */
export const movedAddressController: Controller = {
  name: "virtual-machine-address",
  inputs: [
    { resource: ipAddresses, labelSelector: movedLabel },
    {
      resource: pods,
      keys: ({ metadata }, { informer }) =>
        informer(ipAddresses)
          .list()
          .filter((one) => movedAddress(one)?.podUid === metadata.uid)
          .map((one) => one.metadata.name),
    },
  ],
  outputs: [ipAddresses],
  reconcile,
};
