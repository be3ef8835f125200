// The objects that tools look at before they believe that there are machines: KubeVirt's and CDI's own, deployed, and CDI's settings.
import type { Client, Target } from "../client/client.ts";
import type { Draft } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import type { Clock } from "../lib/clock.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { cdiConfigs, cdis, kubeVirts } from "./kinds/resources.ts";
import { cdiVersion, kubevirtVersion } from "./version.ts";

export const installNamespace = "kubevirt";

type Row = [type: string, status: string, reason: string, message: string];

const deployed = "All components are ready.";
const kubeVirtRows: Row[] = [
  ["Available", "True", "AllComponentsReady", deployed],
  ["Progressing", "False", "AllComponentsReady", deployed],
  ["Degraded", "False", "AllComponentsReady", deployed],
  ["Created", "True", "AllResourcesCreated", "All resources were created."],
];
const cdiRows: Row[] = [
  ["Available", "True", "DeployCompleted", "Deployment Completed"],
  ["Progressing", "False", "", ""],
  ["Degraded", "False", "", ""],
];

const conditions = (rows: Row[], probed: string, time: string) =>
  rows.map(([type, status, reason, message]) => ({
    ...{ type, status, reason, message, lastTransitionTime: time, [probed]: time },
  }));

/** Makes the object where nobody has, and says what it is to say; people's settings in its spec stay. */
async function ensure(
  client: Client,
  target: Target & { name: string },
  draft: Draft,
  status: any,
) {
  const { name, ...place } = target;
  const kept = await client.get(target).catch((error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
    return client.create(place, { ...draft, metadata: { ...draft.metadata, name } });
  });
  const { conditions: known = [], ...said } = kept.status ?? {};
  const { conditions: wanted = [], ...rest } = status;
  const words = (list: any[]) => list.map(({ type, status, reason }) => [type, status, reason]);
  const next = { ...said, ...rest };
  if (jsonEqual(next, said) && jsonEqual(words(known), words(wanted))) return;
  await client.patch({ ...target, subresource: "status" }, "merge", { status });
}

export async function ensureDeployed(client: Client, clock: Clock) {
  const time = timestamp(clock.now());
  const kubeVirt = { ...kubeVirts, namespace: installNamespace, name: "kubevirt" };
  await ensure(
    client,
    kubeVirt,
    {
      apiVersion: "kubevirt.io/v1",
      kind: "KubeVirt",
      metadata: { name: "kubevirt", namespace: installNamespace },
      // Tools patch what is below, and find nothing to patch where it is not said.
      spec: { configuration: { developerConfiguration: { featureGates: [] } } },
    },
    {
      phase: "Deployed",
      operatorVersion: kubevirtVersion,
      observedKubeVirtVersion: kubevirtVersion,
      targetKubeVirtVersion: kubevirtVersion,
      defaultArchitecture: "amd64",
      outdatedVirtualMachineInstanceWorkloads: 0,
      conditions: conditions(kubeVirtRows, "lastProbeTime", time),
    },
  );
  const cdi = (kind: string, name: string) => ({
    ...{ apiVersion: "cdi.kubevirt.io/v1beta1", kind, metadata: { name }, spec: {} },
  });
  await ensure(client, { ...cdis, name: "cdi" }, cdi("CDI", "cdi"), {
    phase: "Deployed",
    operatorVersion: cdiVersion,
    observedVersion: cdiVersion,
    targetVersion: cdiVersion,
    conditions: conditions(cdiRows, "lastHeartbeatTime", time),
  });
  // A claim has room for as much as it asks for.
  const filesystemOverhead = { global: "0" };
  const config = { ...cdiConfigs, name: "config" };
  await ensure(client, config, cdi("CDIConfig", "config"), { filesystemOverhead });
}
