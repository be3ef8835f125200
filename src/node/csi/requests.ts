// What drivers are told besides the volume itself: how it is used, Secrets, and for which pod.
import { resource } from "../../client/client.ts";
import type { CsiSource } from "../volumes/csi-source.ts";
import { fsGroupOf } from "../volumes/ownership.ts";
import { tokenFor } from "../volumes/service-account-token.ts";
import type { VolumeContext } from "../volumes/volume.ts";
import type { CsiDriver } from "./drivers.ts";
import { accessModeOf } from "./protocol.ts";

const secrets = resource("v1", "secrets");
const prefix = "csi.storage.k8s.io";

export async function secretOf(
  { client }: Pick<VolumeContext, "client">,
  ref: CsiSource["stageSecret"],
): Promise<Record<string, string>> {
  if (!ref) return {};
  const secret = await client.get({ ...secrets, namespace: ref.namespace, name: ref.name });
  const entries = Object.entries<string>(secret["data"] ?? {});
  return Object.fromEntries(
    entries.map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
  );
}

export async function capabilityOf(
  { pod }: Pick<VolumeContext, "pod">,
  { isBlock, fsType, mountOptions, accessMode }: CsiSource,
  driver: CsiDriver,
) {
  const group = (await driver.can("mountsForGroup")) ? fsGroupOf(pod) : undefined;
  const mount = {
    fs_type: fsType,
    mount_flags: mountOptions,
    ...(group !== undefined && { volume_mount_group: String(group) }),
  };
  const mode = accessModeOf(accessMode, await driver.can("countsWriters"));
  return { ...(isBlock ? { block: {} } : { mount }), access_mode: { mode } };
}

function podInfo({ metadata, spec }: VolumeContext["pod"], isEphemeral: boolean) {
  return {
    [`${prefix}/pod.name`]: metadata.name,
    [`${prefix}/pod.namespace`]: metadata.namespace ?? "",
    [`${prefix}/pod.uid`]: metadata.uid,
    [`${prefix}/serviceAccount.name`]: spec["serviceAccountName"] ?? "default",
    [`${prefix}/ephemeral`]: String(isEphemeral),
  };
}

/** Tokens of the pod's account for the audiences that the driver names, as JSON. */
async function tokensOf(context: VolumeContext, requests: any[]) {
  const tokens: Record<string, object> = {};
  for (const { audience = "", expirationSeconds } of requests) {
    const asked = { audience, ...(expirationSeconds && { expirationSeconds }) };
    const { token, expirationTimestamp } = await tokenFor(context, asked);
    tokens[audience] = { token, expirationTimestamp };
  }
  return { [`${prefix}/serviceAccount.tokens`]: JSON.stringify(tokens) };
}

/** What a driver's CSIDriver asks to be told of the pod. */
export async function toldOfPod(context: VolumeContext, driver: any, isEphemeral: boolean) {
  const info = driver?.podInfoOnMount ? podInfo(context.pod, isEphemeral) : {};
  if (!driver?.tokenRequests?.length) return { context: info, secrets: {} };
  const tokens = await tokensOf(context, driver.tokenRequests);
  return driver.serviceAccountTokenInSecrets
    ? { context: info, secrets: tokens }
    : { context: { ...info, ...tokens }, secrets: {} };
}
