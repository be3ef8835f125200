// The certificates that Kubernetes' own signers give, and to whom: what a request may hold for each of them.
import type { ReadRequest } from "./certificate-request.ts";
import { readCertificateRequest } from "./certificate-request.ts";
import type { Pki } from "./pki.ts";

/** The part of a CertificateSigningRequest's spec that matters here. */
export interface SigningSpec {
  signerName: string;
  /** PEM in base64. */
  request: string;
  usages?: string[];
  expirationSeconds?: number;
}

interface Signer {
  usage: "client" | "server";
  /** Why the request is not for this signer; undefined when it is. */
  refuses?: (request: ReadRequest) => string | undefined;
}

/** Ten minutes, as Kubernetes' shortest. */
const lifeSecondsMin = 600;
const usageNames = { client: "client auth", server: "server auth" };
const besides = ["digital signature", "key encipherment"];

function refusesNode({ subject }: ReadRequest): string | undefined {
  const { commonName, organizations } = subject;
  if (organizations.length !== 1 || organizations[0] !== "system:nodes") {
    return 'subject organization is not "system:nodes"';
  }
  if (!commonName.startsWith("system:node:"))
    return 'subject common name does not begin with "system:node:"';
  return undefined;
}

const signers: Record<string, Signer> = {
  "kubernetes.io/kube-apiserver-client": { usage: "client" },
  "kubernetes.io/kube-apiserver-client-kubelet": {
    usage: "client",
    refuses: (request) => {
      const { names, otherNames } = request;
      if (names.length + otherNames > 0) return "subject alternative names are not allowed";
      return refusesNode(request);
    },
  },
  "kubernetes.io/kubelet-serving": {
    usage: "server",
    refuses: (request) => {
      if (request.otherNames > 0) return "only DNS names and IP addresses are allowed";
      if (request.names.length === 0) return "DNS or IP subjectAltName is required";
      return refusesNode(request);
    },
  },
};

export const isOwnSigner = (name: string) => Object.hasOwn(signers, name);

function refusal(signer: Signer, request: ReadRequest, usages: string[]): string | undefined {
  const needed = usageNames[signer.usage];
  if (!usages.includes(needed)) return `usages must include ${JSON.stringify(needed)}`;
  const strange = usages.find((usage) => usage !== needed && !besides.includes(usage));
  if (strange !== undefined) return `usage ${JSON.stringify(strange)} is not allowed`;
  return signer.refuses?.(request);
}

const readRequest = ({ request }: SigningSpec) =>
  readCertificateRequest(Buffer.from(request, "base64").toString());

/** The certificate, in PEM, for a request that was approved. Throws an Error that says why there is none. */
export function signRequest(pki: Pki, spec: SigningSpec, { anyClock = false } = {}): string {
  const { usage, ...signer } = signers[spec.signerName]!;
  const request = readRequest(spec);
  const usages = spec.usages ?? [];
  const why = refusal({ usage, ...signer }, request, usages);
  if (why) throw new Error(why);
  return pki.sign({
    subject: request.subject,
    publicKey: request.publicKey,
    names: request.names,
    usage,
    beginsNow: !anyClock,
    keyEncipherment: usages.includes("key encipherment"),
    ...(spec.expirationSeconds && {
      lifeMs: Math.max(spec.expirationSeconds, lifeSecondsMin) * 1000,
    }),
  });
}

/** The node's user name when the request is for the client certificate of a node's agent. */
export function nodeOf(spec: SigningSpec): string | undefined {
  if (spec.signerName !== "kubernetes.io/kube-apiserver-client-kubelet") return undefined;
  try {
    const request = readRequest(spec);
    const why = refusal(signers[spec.signerName]!, request, spec.usages ?? []);
    return why ? undefined : request.subject.commonName;
  } catch {
    return undefined;
  }
}
