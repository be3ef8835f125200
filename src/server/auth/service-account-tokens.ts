// Tokens of service accounts (KEP-1205): signed, for an audience, for a time, and bound to objects
// that must still exist with the same uid whenever the token is shown.
//
// `nbf` is written for others to read and not judged here: on a clock that was set back, a token of
// our own making is no less ours.
import { createPublicKey, type KeyObject } from "node:crypto";
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Random } from "../../lib/random.ts";
import type { User } from "../request.ts";
import { jwksOf, keyIdOf, signJwt, verifyJwt } from "./jwt.ts";
import { LimitedCache } from "./limited-cache.ts";

/** Reads an object by its store key, `pods/default/web-1`. */
export type ReadObject = (key: string) => Promise<KubeObject | undefined>;

export interface ObjectIdentity {
  name: string;
  uid: string;
}

/** What a token says of itself under `kubernetes.io`. */
export interface Binding {
  namespace: string;
  serviceaccount: ObjectIdentity;
  pod?: ObjectIdentity;
  secret?: ObjectIdentity;
  node?: ObjectIdentity;
  /** Seconds since 1970; the token works longer, so that clients that never read it again go on. */
  warnafter?: number;
}

export interface ServiceAccountTokensOptions {
  key: KeyObject;
  clock: Clock;
  random: Random;
  read: ReadObject;
  /** Default `cluster.local`. */
  clusterDomain?: string;
  /** By default the Service `kubernetes` of the domain. */
  issuer?: string;
}

/** Verified tokens whose signature is not computed again. */
const tokensCachedMax = 1024;

/** How long a token outlives its object's deletionTimestamp, as upstream. */
const graceMs = 60_000;

const resources = {
  serviceaccount: "serviceaccounts",
  pod: "pods",
  secret: "secrets",
  node: "nodes",
} as const;

const extraPrefix = "authentication.kubernetes.io/";

function userOf(binding: Binding, id: string): User {
  const { namespace, serviceaccount, pod, node } = binding;
  const extra: Record<string, string[]> = { [`${extraPrefix}credential-id`]: [`JTI=${id}`] };
  for (const [name, identity] of Object.entries({ node, pod })) {
    if (!identity) continue;
    extra[`${extraPrefix}${name}-name`] = [identity.name];
    extra[`${extraPrefix}${name}-uid`] = [identity.uid];
  }
  return {
    name: `system:serviceaccount:${namespace}:${serviceaccount.name}`,
    uid: serviceaccount.uid,
    groups: [
      "system:serviceaccounts",
      `system:serviceaccounts:${namespace}`,
      "system:authenticated",
    ],
    extra,
  };
}

export class ServiceAccountTokens {
  readonly issuer: string;
  /** What a token is for when nobody says; what the API server takes for itself. */
  readonly audiences: string[];
  readonly #key: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #keyId: string;
  readonly #options: ServiceAccountTokensOptions;
  readonly #verified = new LimitedCache<Record<string, any>>(tokensCachedMax);

  constructor(options: ServiceAccountTokensOptions) {
    const { clusterDomain = "cluster.local" } = options;
    this.issuer = options.issuer ?? `https://kubernetes.default.svc.${clusterDomain}`;
    this.audiences = [this.issuer];
    this.#key = options.key;
    this.#publicKey = createPublicKey(options.key);
    this.#keyId = keyIdOf(options.key);
    this.#options = options;
  }

  sign(binding: Binding, audiences: string[], seconds: number) {
    const now = Math.floor(this.#options.clock.now() / 1000);
    const claims = {
      aud: audiences,
      exp: now + seconds,
      iat: now,
      iss: this.issuer,
      jti: this.#options.random.uuid(),
      "kubernetes.io": binding,
      nbf: now,
      sub: `system:serviceaccount:${binding.namespace}:${binding.serviceaccount.name}`,
    };
    return { token: signJwt(claims, this.#key, this.#keyId), issuedAtMs: now * 1000 };
  }

  /** Who a token stands for, and which of `audiences` it is for; undefined when it is not good. */
  async verify(
    token: string,
    audiences = this.audiences,
  ): Promise<{ user: User; audiences: string[] } | undefined> {
    const claims = this.#verified.get(token) ?? verifyJwt(token, this.#publicKey);
    if (claims?.iss !== this.issuer || !claims["kubernetes.io"]) return undefined;
    this.#verified.set(token, claims);
    const meant = audiences.filter((audience) => claims.aud.includes(audience));
    const expired = !(claims.exp * 1000 > this.#options.clock.now());
    if (expired || meant.length === 0) return undefined;
    const binding: Binding = claims["kubernetes.io"];
    if (!(await this.#stands(binding))) return undefined;
    return { user: userOf(binding, claims.jti), audiences: meant };
  }

  jwks() {
    return jwksOf(this.#key);
  }

  /** OpenID Connect discovery; `base` is where callers reach the API server. */
  openidConfiguration(base = this.issuer) {
    return {
      issuer: this.issuer,
      jwks_uri: `${base}/openid/v1/jwks`,
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["ES256"],
    };
  }

  /** Whether every object that the token is bound to is still the same one. */
  async #stands(binding: Binding): Promise<boolean> {
    for (const part of ["serviceaccount", "pod", "secret", "node"] as const) {
      const identity = binding[part];
      // A pod's token names the pod's node for information: it is bound to the pod alone.
      if (!identity || (part === "node" && binding.pod)) continue;
      const namespace = part === "node" ? "" : `${binding.namespace}/`;
      const object = await this.#options.read(`${resources[part]}/${namespace}${identity.name}`);
      if (object?.metadata.uid !== identity.uid) return false;
      const deletion = object.metadata.deletionTimestamp;
      if (deletion && Date.parse(deletion) + graceMs < this.#options.clock.now()) return false;
    }
    return true;
  }
}
