// Secrets of type kubernetes.io/service-account-token are given a token of the account that their annotation
// names, and go with it.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Controller } from "./runtime.ts";

const secrets = resource("v1", "secrets");
const accounts = resource("v1", "serviceaccounts");
const type = "kubernetes.io/service-account-token";
const nameKey = "kubernetes.io/service-account.name";
const uidKey = "kubernetes.io/service-account.uid";

export interface TokenMaker {
  /** The cluster's certificate, as PEM. */
  ca(): string;
  secretToken(of: {
    namespace: string;
    secret: string;
    account: { name: string; uid: string };
  }): string;
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** What is to be written into the Secret; undefined when nothing is missing. Pure but for `make`. */
export function missing(secret: KubeObject, account: KubeObject, make: TokenMaker) {
  const { namespace = "", name, annotations = {} } = secret.metadata;
  const uid = account.metadata.uid!;
  const data: Record<string, string> = {};
  const held = secret["data"] ?? {};
  if (!held.token) {
    const of = { namespace, secret: name, account: { name: account.metadata.name, uid } };
    data["token"] = base64(make.secretToken(of));
  }
  const ca = base64(make.ca());
  if (held["ca.crt"] !== ca) data["ca.crt"] = ca;
  if (held.namespace !== base64(namespace)) data["namespace"] = base64(namespace);
  if (annotations[uidKey] === uid && Object.keys(data).length === 0) return undefined;
  return { metadata: { annotations: { [uidKey]: uid } }, data };
}

export const serviceAccountToken = (make: TokenMaker): Controller => ({
  name: "service-account-token",
  inputs: [
    { resource: secrets, fieldSelector: `type=${type}` },
    {
      resource: accounts,
      keys: ({ metadata }, { informer }) =>
        informer(secrets)
          .list()
          .filter(
            (one) =>
              one.metadata.namespace === metadata.namespace &&
              one.metadata.annotations?.[nameKey] === metadata.name,
          )
          .map((one) => `${one.metadata.namespace}/${one.metadata.name}`),
    },
  ],
  outputs: [secrets],
  async reconcile(key, { client, informer }) {
    const [namespace = "", name = ""] = key.split("/");
    const secret = informer(secrets).get(name, namespace);
    if (!secret || secret.metadata.deletionTimestamp) return;
    const { annotations = {}, uid, resourceVersion } = secret.metadata;
    const target = { ...secrets, namespace, name };
    const account = await client
      .get({ ...accounts, namespace, name: annotations[nameKey] ?? "" })
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      });
    const another =
      account && (annotations[uidKey] ?? account.metadata.uid) !== account.metadata.uid;
    if (!account || another) {
      await client.delete(target, { preconditions: { uid } }).catch((error: unknown) => {
        if (!isStatus(error, "NotFound", "Conflict")) throw error;
      });
      return;
    }
    const change = missing(secret, account, make);
    if (!change) return;
    const metadata = { ...change.metadata, resourceVersion };
    await client.patch(target, "merge", { ...change, metadata });
  },
});
