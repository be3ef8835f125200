// Which of a machine's devices have left the node or fallen ill, by what the node says of its pod. Pure.
import type { KubeObject } from "../../../kinds/object.ts";
import { computeContainer } from "../../domain.ts";

/** Each in words. */
export function lostDevices(pod: KubeObject): string[] {
  const statuses: any[] = pod.status?.containerStatuses ?? [];
  const all = statuses.find(({ name }) => name === computeContainer)?.allocatedResourcesStatus;
  return (all ?? []).flatMap(({ name, resources = [] }: any) =>
    resources
      .filter(({ health }: any) => health === "Unhealthy")
      .map(({ resourceID, message }: any) =>
        [`${name} ${resourceID} does not work any more`, message].filter(Boolean).join(": "),
      ),
  );
}
