// Edge clocks lie, so Kerb's own agents ask for certificates that a clock in 1970 takes as well (see
// server/auth/pki.ts). Everybody else gets certificates that begin now: agents of others renew theirs when a share of
// the time between its two dates is over, which would be at once.

const annotation = "certificates.kerb.dev/any-clock";

/** Of a CertificateSigningRequest. */
export const forAnyClock = { annotations: { [annotation]: "true" } };

export const isForAnyClock = ({
  metadata,
}: {
  metadata: { annotations?: Record<string, string> };
}) => metadata.annotations?.[annotation] === "true";
