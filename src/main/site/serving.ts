// Certificates of extension API servers in this process.
import { generateKeyPairSync } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import type { Random } from "../../lib/random.ts";
import { issueCertificate } from "../../server/auth/x509.ts";

const dayMs = 86_400_000;

/** Made at each start, with an authority that signs nothing else. */
export function makeServing(clock: Clock, random: Random) {
  return (name: string) => {
    const make = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
    const authority = make();
    const own = make();
    const subject = { commonName: `${name}-${random.suffix(5)}` };
    const issuer = { subject, privateKey: authority.privateKey };
    const life = { notBeforeMs: clock.now() - dayMs, notAfterMs: clock.now() + 3650 * dayMs };
    const ca = issueCertificate(
      { subject, publicKey: authority.publicKey, usage: "ca", ...life },
      issuer,
    );
    const asked = {
      subject: { commonName: name },
      publicKey: own.publicKey,
      names: [name, "127.0.0.1"],
    };
    const cert = issueCertificate({ ...asked, usage: "server", ...life }, issuer);
    return { ca, cert, key: own.privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
  };
}
