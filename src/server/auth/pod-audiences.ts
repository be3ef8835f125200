// For whom a pod's tokens are, besides the API server: what its volumes name, and what the CSI drivers behind them ask.
import type { KubeObject } from "../../kinds/object.ts";
import type { ReadObject } from "./service-account-tokens.ts";

async function driverBehind(read: ReadObject, pod: KubeObject, volume: any) {
  if (volume.csi) return volume.csi.driver;
  const { namespace, name } = pod.metadata;
  const claim = volume.ephemeral
    ? `${name}-${volume.name}`
    : volume.persistentVolumeClaim?.claimName;
  if (!claim) return undefined;
  const bound = (await read(`persistentvolumeclaims/${namespace}/${claim}`))?.spec.volumeName;
  const persistent = bound && (await read(`persistentvolumes/${bound}`));
  return persistent?.spec.csi?.driver;
}

export async function audiencesOf(read: ReadObject, pod: KubeObject): Promise<Set<string>> {
  const audiences = new Set<string>();
  const drivers = new Set<string>();
  for (const volume of pod.spec.volumes ?? []) {
    for (const { serviceAccountToken: token } of volume.projected?.sources ?? []) {
      if (token?.audience) audiences.add(token.audience);
    }
    const driver = await driverBehind(read, pod, volume);
    if (driver) drivers.add(driver);
  }
  for (const driver of drivers) {
    const object = await read(`csidrivers.storage.k8s.io/${driver}`);
    for (const { audience } of object?.spec.tokenRequests ?? []) audiences.add(audience);
  }
  return audiences;
}
