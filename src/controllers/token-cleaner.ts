// Bootstrap tokens whose time is over are deleted.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Controller } from "./runtime.ts";

const secrets = resource("v1", "secrets");
const place = "kube-system";
const type = "bootstrap.kubernetes.io/token";

/** When the token ends, in wall-clock ms; undefined for never. Pure. */
export function expiryOf(secret: KubeObject): number | undefined {
  const text = Buffer.from(secret["data"]?.expiration ?? "", "base64").toString();
  const end = Date.parse(text);
  return Number.isNaN(end) ? undefined : end;
}

export const tokenCleaner: Controller = {
  name: "token-cleaner",
  inputs: [{ resource: secrets, fieldSelector: `type=${type}` }],
  outputs: [secrets],
  async reconcile(key, { client, clock, informer, wakeAfter }) {
    const [namespace, name] = key.split("/") as [string, string];
    const secret = informer(secrets).get(name, namespace);
    if (!secret || namespace !== place) return;
    const end = expiryOf(secret);
    if (end === undefined) return;
    if (end > clock.now()) return wakeAfter(key, end - clock.now());
    const { uid } = secret.metadata;
    const target = { ...secrets, namespace, name };
    await client.delete(target, { preconditions: { uid } }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
  },
};
