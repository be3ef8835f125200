// Whom devices that speak TLS are believed to be. Most have a certificate of their own making or of an installer's
// authority, which no list of Node's has: a Configuration gives it as its property `certificateAuthority`.
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import type { PeerCertificate } from "node:tls";
import type { DiscoverRequest } from "../discovery/handler.ts";
import { PropertyError, textOf } from "../discovery/properties.ts";

export interface Trust {
  /** PEM. */
  ca: string;
  checkServerIdentity: (host: string, certificate: PeerCertificate) => Error | undefined;
}

const pem = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

function fingerprints(ca: string): Set<string> {
  const refused = new PropertyError("discoveryProperty certificateAuthority: no PEM certificate");
  const blocks = ca.match(pem);
  if (!blocks) throw refused;
  try {
    return new Set(blocks.map((one) => new X509Certificate(one).fingerprint256));
  } catch {
    throw refused;
  }
}

/** Undefined where none is given; throws for one that cannot be read. */
export function trustOf(properties: DiscoverRequest["properties"]): Trust | undefined {
  const ca = textOf(properties, "certificateAuthority");
  if (ca === undefined) return undefined;
  const given = fingerprints(ca);
  return {
    ca,
    // An address is in few certificates, and a certificate that was given itself is whose it is.
    checkServerIdentity: (host, certificate) =>
      isIP(host) || given.has(certificate.fingerprint256)
        ? undefined
        : checkServerIdentity(host, certificate),
  };
}
