// What handlers of the subresource API reach: the objects, and the guest on its node.
import type { Client } from "../../client/client.ts";
import { byAge } from "../../controllers/pod-state.ts";
import { controllerOf } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import type { NodeConnector } from "../../lib/node-connection.ts";
import { conflict, isStatus } from "../../lib/status-error.ts";
import { vmControl } from "../control.ts";
import type { VmControl } from "../control.ts";
import { currentPod } from "../instance/plan.ts";
import { instances, pods, virtualMachines } from "../kinds/resources.ts";

export interface AccessOptions {
  client: Client;
  connect: NodeConnector;
  clock: Clock;
}

export interface Place {
  namespace: string;
  name: string;
}

export class Access {
  readonly client: Client;
  readonly clock: Clock;
  readonly connect: NodeConnector;

  constructor({ client, connect, clock }: AccessOptions) {
    this.client = client;
    this.connect = connect;
    this.clock = clock;
  }

  machine({ namespace, name }: Place) {
    return this.client.get({ ...virtualMachines, namespace, name });
  }

  instance({ namespace, name }: Place) {
    return this.client.get({ ...instances, namespace, name });
  }

  async instanceIfAny(place: Place): Promise<KubeObject | undefined> {
    try {
      return await this.instance(place);
    } catch (error) {
      if (isStatus(error, "NotFound")) return undefined;
      throw error;
    }
  }

  async runningInstance(place: Place): Promise<KubeObject> {
    const vmi = await this.instance(place);
    if (vmi.status?.phase === "Running") return vmi;
    throw conflict(
      { group: "kubevirt.io", resource: "virtualmachineinstance" },
      place.name,
      "VMI is not running",
    );
  }

  /** The pod that its guest runs in. */
  async podOf(vmi: KubeObject): Promise<KubeObject> {
    const { namespace, uid, name } = vmi.metadata;
    const labelSelector = `kubevirt.io/created-by=${uid}`;
    const { items } = await this.client.list({ ...pods, namespace }, { labelSelector });
    const own = items.filter((pod) => controllerOf(pod)?.uid === uid).sort(byAge);
    const pod = currentPod(vmi, own);
    if (pod?.spec.nodeName) return pod;
    const of = { group: "kubevirt.io", resource: "virtualmachineinstance" };
    throw conflict(of, name, "it runs on no node");
  }

  async controlOf(vmi: KubeObject): Promise<VmControl> {
    const pod = await this.podOf(vmi);
    return vmControl(await this.connect(pod.spec.nodeName), pod.metadata.uid);
  }
}
