// Pods of this node that have the address of one before them (lib/moved-address.ts): what they are told of
// themselves, probed at and shown with is that address.
import { resource } from "../../client/client.ts";
import type { Informers } from "../../client/informers.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import { sleep } from "../../lib/clock.ts";
import { movedAddress, movedLabel } from "../../lib/moved-address.ts";
import type { Scope } from "../../lib/scope.ts";

const ipAddresses = resource("networking.k8s.io/v1", "ipaddresses");
/** A server that does not tell this node holds nothing up. */
const waitMsMax = 3000;

export interface MovedAddresses {
  of: (podUid: string) => string | undefined;
  onChange: (listener: (podUid: string) => void) => void;
}

interface Options {
  informers: Informers;
  nodeName: string;
  clock: Clock;
  scope: Scope;
}

/** Resolves once what there is is known. */
export async function followMovedAddresses(options: Options): Promise<MovedAddresses> {
  const { informers, nodeName, clock, scope } = options;
  const informer = informers.get({ resource: ipAddresses, labelSelector: movedLabel });
  const byPod = new Map<string, string>();
  const listeners = new Set<(podUid: string) => void>();
  const tell = (podUid: string) => listeners.forEach((listener) => listener(podUid));
  const remove = (object: KubeObject) => {
    const moved = movedAddress(object);
    if (!moved || byPod.get(moved.podUid) !== moved.address) return;
    byPod.delete(moved.podUid);
    tell(moved.podUid);
  };
  const add = (object: KubeObject) => {
    const moved = movedAddress(object);
    if (!moved || moved.node !== nodeName) return;
    byPod.set(moved.podUid, moved.address);
    tell(moved.podUid);
  };
  const onUpdate = (object: KubeObject, before: KubeObject) => {
    remove(before);
    add(object);
  };
  scope.defer(informer.subscribe({ onAdd: add, onUpdate, onDelete: remove }));
  await Promise.race([informer.synced(), sleep(clock, waitMsMax, scope.signal).catch(() => {})]);
  return {
    of: (podUid) => byPod.get(podUid),
    onChange: (listener) => void listeners.add(listener),
  };
}
