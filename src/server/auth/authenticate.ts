// Who asks. A client certificate of our CA or a bearer token names a user; showing neither makes one
// anonymous, whom the default roles let see health and version and nothing else; showing a bad one is
// Unauthorized. Certificates are judged here and not by TLS, so that a refusal is a Status and not a
// broken connection.
import { type KeyObject, X509Certificate } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { Authenticate, Authorize, Credentials } from "../policy.ts";
import type { User } from "../request.ts";
import { impersonate } from "./impersonate.ts";
import { LimitedCache } from "./limited-cache.ts";
import type { ServiceAccountTokens } from "./service-account-tokens.ts";
import { subjectOf } from "./x509.ts";

export interface AuthenticatorOptions {
  /** Authorities of client certificates, in PEM. */
  ca: () => string;
  clock: Clock;
  tokens: Pick<ServiceAccountTokens, "verify">;
  authorize: Authorize;
  /** What the holder of an expired certificate of our CA still is; by default nobody. */
  returning?: ((user: User) => User | undefined) | undefined;
  /** May those who show nothing ask for `path`? By default always. */
  admitsAnonymous?: (path: string) => boolean;
}

/** A hub has thousands of sites, each with its own. */
const certificatesCachedMax = 10_000;
const clientAuth = "1.3.6.1.5.5.7.3.2";
const bearer = /^bearer\s+(\S+)\s*$/i;

const anonymous: User = { name: "system:anonymous", groups: ["system:unauthenticated"] };

const unauthorized = () => new StatusError("Unauthorized", "Unauthorized");

interface Known {
  /** Absent when the certificate is not of our CA or not for clients. */
  user?: User;
  notBeforeMs: number;
  notAfterMs: number;
}

function read(certificate: X509Certificate, caKeys: KeyObject[]): Known {
  const notBeforeMs = Date.parse(certificate.validFrom);
  const notAfterMs = Date.parse(certificate.validTo);
  const isSigned = caKeys.some((key) => certificate.verify(key));
  const ours = isSigned && certificate.keyUsage?.includes(clientAuth);
  const { commonName, organizations } = subjectOf(certificate);
  if (!ours || !commonName) return { notBeforeMs, notAfterMs };
  const extra = {
    "authentication.kubernetes.io/credential-id": [
      `X509SHA256=${certificate.fingerprint256.replaceAll(":", "").toLowerCase()}`,
    ],
  };
  const groups = [...organizations, "system:authenticated"];
  return { user: { name: commonName, groups, extra }, notBeforeMs, notAfterMs };
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticate {
  const { clock, tokens, authorize, admitsAnonymous = () => true } = options;
  let known = new LimitedCache<Known>(certificatesCachedMax);
  let authorities = { pem: "", keys: [] as KeyObject[] };

  /** Who was known by an authority that is gone is known no more. */
  function caKeys() {
    const pem = options.ca();
    if (pem === authorities.pem) return authorities.keys;
    known = new LimitedCache(certificatesCachedMax);
    const all = pem.match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g) ?? [];
    authorities = { pem, keys: all.map((one) => new X509Certificate(one).publicKey) };
    return authorities.keys;
  }

  function byCertificate({ raw, fingerprint256 }: { raw: Buffer; fingerprint256: string }) {
    const keys = caKeys();
    let found = known.get(fingerprint256);
    if (!found) known.set(fingerprint256, (found = read(new X509Certificate(raw), keys)));
    const now = clock.now();
    if (found.notBeforeMs <= now && now <= found.notAfterMs) return found.user;
    return found.user && found.notAfterMs < now ? options.returning?.(found.user) : undefined;
  }

  async function identify({ headers, certificate, path = "" }: Credentials): Promise<User> {
    const user = certificate && byCertificate(certificate.peer);
    if (user) return user;
    const { authorization } = headers;
    const token = bearer.exec(authorization ?? "")?.[1];
    const verified = token ? await tokens.verify(token) : undefined;
    if (verified) return verified.user;
    if (certificate || authorization || !admitsAnonymous(path)) throw unauthorized();
    return anonymous;
  }

  return async (credentials) =>
    impersonate(await identify(credentials), credentials.headers, authorize);
}
