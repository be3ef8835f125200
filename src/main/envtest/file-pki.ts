// Certificates that somebody else has made, in the files a kube-apiserver's flags name.
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Clock } from "../../lib/clock.ts";
import { StatusError } from "../../lib/status-error.ts";
import { openPki } from "../../server/auth/pki.ts";
import type { Pki } from "../../server/auth/pki.ts";

export interface PkiFiles {
  /** The server's certificate and its key. */
  cert: string;
  key: string;
  /** Whose client certificates are believed; absent: none of anybody's. */
  clientCa?: string;
  /** Signs service-account tokens; absent: a key of the moment. */
  serviceAccountKey?: string;
}

const read = (file: string) => readFileSync(file, "utf8");

/** What no file gives is made for this run and kept nowhere. */
export async function openFilePki(files: PkiFiles, clock: Clock): Promise<Pki> {
  const own = await openPki(
    { read: async () => undefined, write: async () => {} },
    { clock, names: [] },
  );
  const serving = { cert: read(files.cert), key: read(files.key) };
  const clientCa = files.clientCa ? read(files.clientCa) : own.ca();
  return {
    ca: () => clientCa,
    phase: () => "Settled",
    advance: async () => {
      throw new StatusError("NotImplemented", "these certificates are somebody else's to replace");
    },
    abandon: async () => {},
    serviceAccountKey: files.serviceAccountKey
      ? createPrivateKey(read(files.serviceAccountKey))
      : own.serviceAccountKey,
    serving: () => serving,
    admin: () => own.admin(),
    node: (name) => own.node(name),
    frontProxy: () => own.frontProxy(),
    sign: (request) => own.sign(request),
    startRenewal: () => {},
  };
}
