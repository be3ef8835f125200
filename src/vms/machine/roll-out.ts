// Tells a running instance what became of its machine meanwhile, as far as it can take it on.
import type { Client } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";
import { installNamespace } from "../deployed.ts";
import { expand } from "../instancetype/expand.ts";
import { sizingOf } from "../instancetype/sizing.ts";
import { instances, kubeVirts } from "../kinds/resources.ts";
import { generationAnnotation } from "./instance-of.ts";
import { planLiveUpdate } from "./live-update.ts";
import type { Rollout } from "./live-update.ts";
import { startedSpec } from "./start-revision.ts";

async function rolloutOf(client: Client): Promise<Rollout> {
  const target = { ...kubeVirts, namespace: installNamespace, name: "kubevirt" };
  const found = await client.get(target).catch((error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
  });
  return found?.spec?.configuration?.vmRolloutStrategy === "Stage" ? "Stage" : "LiveUpdate";
}

/** Why it needs a restart, if it does. */
export async function rollOut(
  client: Client,
  vm: KubeObject,
  instance: KubeObject,
): Promise<string | undefined> {
  const { annotations, deletionTimestamp } = instance.metadata;
  if (deletionTimestamp) return undefined;
  if (annotations?.[generationAnnotation] === String(vm.metadata.generation ?? 1)) return undefined;
  const started = await startedSpec(client, instance);
  if (!started) return undefined;
  const { spec: expanded } = expand(vm.spec.template.spec, await sizingOf(client, vm));
  const rollout = await rolloutOf(client);
  const update = planLiveUpdate({ vm, started, expanded, instance, rollout });
  if (!update) return undefined;
  if ("restart" in update) return update.restart;
  const { namespace, name } = instance.metadata;
  const next = { ...instance, spec: update.spec };
  await client.update({ ...instances, namespace, name }, next).catch((error: unknown) => {
    // What changed it wakes us again.
    if (!isStatus(error, "Conflict", "NotFound")) throw error;
  });
  return undefined;
}
