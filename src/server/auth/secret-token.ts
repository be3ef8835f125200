// Tokens that lie in Secrets of type kubernetes.io/service-account-token. They have no end: each is good as
// long as its Secret is there and holds it, and the account is the same.
import { createPublicKey, type KeyObject } from "node:crypto";
import type { User } from "../request.ts";
import { keyIdOf, signJwt, verifyJwt } from "./jwt.ts";
import type { ReadObject } from "./service-account-tokens.ts";

/** Apart from the issuer of all other tokens, as upstream. */
const issuer = "kubernetes/serviceaccount";
const claim = (name: string) => `kubernetes.io/serviceaccount/${name}`;

export interface SecretTokenOf {
  namespace: string;
  secret: string;
  account: { name: string; uid: string };
}

export function signSecretToken(of: SecretTokenOf, key: KeyObject): string {
  const claims = {
    iss: issuer,
    [claim("namespace")]: of.namespace,
    [claim("secret.name")]: of.secret,
    [claim("service-account.name")]: of.account.name,
    [claim("service-account.uid")]: of.account.uid,
    sub: `system:serviceaccount:${of.namespace}:${of.account.name}`,
  };
  return signJwt(claims, key, keyIdOf(key));
}

/** Who a token stands for; undefined when it is none of these or no longer good. */
export function secretTokens(read: ReadObject, key: KeyObject) {
  const publicKey = createPublicKey(key);
  return async (token: string): Promise<User | undefined> => {
    const claims = verifyJwt(token, publicKey);
    if (claims?.["iss"] !== issuer) return undefined;
    const of = (name: string): string => claims[claim(name)];
    const namespace = of("namespace");
    const secret = await read(`secrets/${namespace}/${of("secret.name")}`);
    if (!secret || secret.metadata.deletionTimestamp) return undefined;
    const held = Buffer.from(secret["data"]?.token ?? "", "base64").toString();
    if (held !== token) return undefined;
    const account = await read(`serviceaccounts/${namespace}/${of("service-account.name")}`);
    if (!account || account.metadata.deletionTimestamp) return undefined;
    const uid = of("service-account.uid");
    if (account.metadata.uid !== uid) return undefined;
    const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
    const name = `system:serviceaccount:${namespace}:${account.metadata.name}`;
    return { name, uid, groups: [...groups, "system:authenticated"] };
  };
}
