// What a machine's spec was when its instance was made, as KubeVirt keeps it: a ControllerRevision that the instance
// names. One is kept for each machine, the last.
import type { Client } from "../../client/client.ts";
import { controllerReference } from "../../controllers/pod-template.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";
import { controllerRevisions } from "../kinds/resources.ts";

const prefixOf = ({ metadata }: KubeObject) => `revision-start-vm-${metadata.uid}-`;

/** Pure. */
export function startRevision(vm: KubeObject): Draft {
  const { generation = 1, namespace } = vm.metadata;
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name: `${prefixOf(vm)}${generation}`,
      namespace: namespace!,
      ownerReferences: [controllerReference(vm)],
    },
    revision: generation,
    data: { spec: vm.spec },
  };
}

/** The spec of its machine when `instance` was made; undefined where nobody kept it. */
export async function startedSpec(client: Client, instance: KubeObject): Promise<any> {
  const name: string | undefined = instance.status?.virtualMachineRevisionName;
  if (!name) return undefined;
  const { namespace } = instance.metadata;
  const found = await client
    .get({ ...controllerRevisions, namespace, name })
    .catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  return found?.["data"]?.spec;
}

/** Resolves with its name. */
export async function keepStartRevision(client: Client, vm: KubeObject): Promise<string> {
  const draft = startRevision(vm);
  const name = draft.metadata!.name!;
  const namespace = vm.metadata.namespace!;
  const of = { ...controllerRevisions, namespace };
  await client.create(of, draft).catch((error: unknown) => {
    if (!isStatus(error, "AlreadyExists")) throw error;
  });
  const { items } = await client.list(of);
  const old = items.filter(
    ({ metadata }) => metadata.name.startsWith(prefixOf(vm)) && metadata.name !== name,
  );
  for (const { metadata } of old) {
    await client.delete({ ...of, name: metadata.name }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }
  return name;
}
