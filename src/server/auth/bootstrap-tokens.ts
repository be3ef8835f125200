// Bootstrap tokens (`abcdef.0123456789abcdef`): Secrets of kube-system by which a new machine comes in for the
// first time.
import { timingSafeEqual } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import type { User } from "../request.ts";
import type { ReadObject } from "./service-account-tokens.ts";

const form = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const bootstrapSecretType = "bootstrap.kubernetes.io/token";
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

const same = (a: string, b: string) =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** Who a token stands for; undefined when it is none, is not known, has expired or is for other things. */
export function bootstrapTokens(read: ReadObject, clock: Clock) {
  return async (token: string): Promise<User | undefined> => {
    const [, id, secret] = form.exec(token) ?? [];
    if (!id || !secret) return undefined;
    const found = await read(`secrets/kube-system/bootstrap-token-${id}`);
    if (found?.["type"] !== bootstrapSecretType || found.metadata.deletionTimestamp)
      return undefined;
    const field = (name: string) => Buffer.from(found["data"]?.[name] ?? "", "base64").toString();
    if (field("token-id") !== id || !same(field("token-secret"), secret)) return undefined;
    const expires = field("expiration");
    if (expires && !(Date.parse(expires) > clock.now())) return undefined;
    if (field("usage-bootstrap-authentication") !== "true") return undefined;
    const extra = field("auth-extra-groups")
      .split(",")
      .filter((group) => groupForm.test(group));
    const groups = ["system:bootstrappers", ...extra, "system:authenticated"];
    return { name: `system:bootstrap:${id}`, groups };
  };
}
