// VirtualMachineExport: a pod that gives away the disks of a claim, a stopped machine or a snapshot, to whoever has
// the token, for a while.
import { randomBytes } from "node:crypto";
import { resource } from "../../client/client.ts";
import { controllerReference } from "../../controllers/pod-template.ts";
import { hasFinished, isReady, withCondition } from "../../controllers/pod-state.ts";
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import { controllerOf } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import { isStatus } from "../../lib/status-error.ts";
import {
  cdiConfigs,
  claims,
  machineExports,
  pods,
  snapshotContents,
  snapshots,
  virtualMachines,
} from "../kinds/resources.ts";
import { ensureTaskPod, removePod } from "./copy-task.ts";
import { expiresAtMs, exportedDisks, exportLinks } from "./export-plan.ts";
import type { ExportedDisk } from "./export-plan.ts";

const secrets = resource("v1", "secrets");
const lookMs = 2000;
const tokenBytes = 24;
const sources: Record<string, typeof claims> = {
  PersistentVolumeClaim: claims,
  VirtualMachine: virtualMachines,
  VirtualMachineSnapshot: snapshots,
};

export const exportPodName = (name: string) => `virt-export-${name}`;

/** Why it waits, or what it gives. */
type Seen = { waits: string } | { disks: ExportedDisk[] };

class Exporting {
  readonly #export: KubeObject;
  readonly #context: ControllerContext;
  readonly #namespace: string;

  constructor(object: KubeObject, context: ControllerContext) {
    this.#export = object;
    this.#context = context;
    this.#namespace = object.metadata.namespace!;
  }

  async run(key: Key) {
    const { client, clock } = this.#context;
    const { name, uid } = this.#export.metadata;
    const leftMs = expiresAtMs(this.#export) - clock.now();
    if (leftMs <= 0) {
      const target = { ...machineExports, namespace: this.#namespace, name };
      await client.delete(target, { preconditions: { uid } }).catch(() => {});
      return;
    }
    const token = await this.#token();
    const seen = this.#look();
    const pod = "disks" in seen ? await this.#pod(seen.disks) : undefined;
    const ready = pod !== undefined && isReady(pod);
    await this.#write(seen, { ready, token });
    this.#context.wakeAfter(key, ready ? leftMs : lookMs);
  }

  #look(): Seen {
    const { informer } = this.#context;
    const { kind, name } = this.#export.spec.source;
    const from = sources[kind];
    if (!from) return { waits: `spec.source.kind: ${kind} is not exported` };
    const source = informer(from).get(name, this.#namespace);
    if (!source) return { waits: `${kind} ${name} does not exist` };
    const content: string = source.status?.virtualMachineSnapshotContentName ?? "";
    const disks = exportedDisks(
      kind,
      source,
      informer(snapshotContents).get(content, this.#namespace),
    );
    if (!disks || disks.length === 0) return { waits: `${kind} ${name} has no disks` };
    for (const { claim } of disks) {
      const found = informer(claims).get(claim, this.#namespace);
      if (!found) return { waits: `PVC ${claim} does not exist` };
      const user = this.#userOf(claim);
      if (user) return { waits: `PVC ${claim} is in use by pod ${user}` };
    }
    return { disks };
  }

  #userOf(claim: string): string | undefined {
    const found = this.#context
      .informer(pods)
      .list(this.#namespace)
      .find(
        (pod) =>
          !hasFinished(pod) &&
          // Exports only read.
          controllerOf(pod)?.kind !== "VirtualMachineExport" &&
          pod.spec.volumes?.some((one: any) => one.persistentVolumeClaim?.claimName === claim),
      );
    return found?.metadata.name;
  }

  async #pod(disks: ExportedDisk[]) {
    const { informer } = this.#context;
    const names = [...new Set(disks.map(({ claim }) => claim))];
    const isBlock = (claim: string) =>
      informer(claims).get(claim, this.#namespace)?.spec.volumeMode === "Block";
    const path = (claim: string) => `/vm/disks/${claim}`;
    const pod = await ensureTaskPod(this.#context, {
      owner: this.#export,
      name: exportPodName(this.#export.metadata.name),
      task: {
        ...{ kind: "serve", bytes: 0, block: false },
        volumes: disks.map(({ name, claim, file }) => ({
          name,
          path: isBlock(claim) ? path(claim) : `${path(claim)}/${file}`,
        })),
      },
      volumes: names.map((claim) => ({
        ...{ claim, block: isBlock(claim), path: path(claim), readOnly: true },
      })),
    });
    // As when its node was down for a while; another takes its place.
    if (pod && hasFinished(pod)) await removePod(this.#context, pod);
    return pod;
  }

  /** Name of the Secret with the token, which is made where there is none. */
  async #token(): Promise<string> {
    const { metadata, spec } = this.#export;
    const name: string = spec.tokenSecretRef ?? `export-token-${metadata.name}`;
    if (this.#export.status?.tokenSecretRef === name) return name;
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, ownerReferences: [controllerReference(this.#export)] },
      stringData: { token: randomBytes(tokenBytes).toString("hex") },
    };
    await this.#context.client
      .create({ ...secrets, namespace: this.#namespace }, secret)
      .catch((error: unknown) => {
        if (!isStatus(error, "AlreadyExists")) throw error;
      });
    return name;
  }

  async #write(seen: Seen, { ready, token }: { ready: boolean; token: string }) {
    const { client, clock, informer } = this.#context;
    const { metadata, spec, status: before = {} } = this.#export;
    const proxy = informer(cdiConfigs).get("config")?.status;
    const time = timestamp(clock.now());
    const message = "waits" in seen ? seen.waits : "";
    const reason = ready ? "PodReady" : "waits" in seen ? "Pending" : "PodPending";
    const condition = { type: "Ready", status: ready ? "True" : "False", reason, message } as const;
    const { links: _, ...rest } = before;
    const status = {
      ...rest,
      phase: ready ? "Ready" : "Pending",
      tokenSecretRef: token,
      ttlExpirationTime: timestamp(expiresAtMs(this.#export)),
      ...(spec.source.kind === "VirtualMachine" && { virtualMachineName: spec.source.name }),
      conditions: withCondition(before.conditions, condition, time),
      ...(ready &&
        "disks" in seen &&
        proxy && {
          links: exportLinks(this.#export, seen.disks, {
            url: proxy.uploadProxyURL,
            ca: proxy.uploadProxyCA,
          }),
        }),
    };
    if (jsonEqual(status, before)) return;
    const target = { ...machineExports, namespace: this.#namespace, name: metadata.name };
    await client.update({ ...target, subresource: "status" }, { ...this.#export, status });
  }
}

const owner = (object: KubeObject): Key[] => {
  const reference = controllerOf(object);
  if (reference?.kind !== "VirtualMachineExport") return [];
  return [`${object.metadata.namespace}/${reference.name}`];
};

export const exportController: Controller = {
  name: "virtual-machine-export",
  inputs: [
    { resource: machineExports },
    { resource: pods, keys: owner },
    ...[snapshots, snapshotContents, virtualMachines, claims, cdiConfigs].map((one) => ({
      ...{ resource: one, keys: () => [] },
    })),
  ],
  outputs: [pods, secrets, { ...machineExports, resource: "virtualmachineexports/status" }],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const found = context.informer(machineExports).get(name, namespace);
    if (found && !found.metadata.deletionTimestamp) await new Exporting(found, context).run(key);
  },
};
