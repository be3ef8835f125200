// CertificateSigningRequests carry who made them, and only those allowed to on a signer approve or sign.
import { jsonEqual } from "../../lib/json.ts";
import { readCertificateRequest } from "../auth/certificate-request.ts";
import type { Admission, AdmissionRequest, Authorize } from "../policy.ts";
import { refuse } from "./refuse.ts";

const group = "certificates.k8s.io";
const clientSigner = "kubernetes.io/kube-apiserver-client";

async function mayUse(authorize: Authorize, request: AdmissionRequest, verb: string) {
  const signer: string = request.old!.spec.signerName;
  const names = [signer, `${signer.split("/")[0]}/*`];
  for (const name of names) {
    const asked = { verb, group, version: "*", resource: "signers", name };
    const rest = { subresource: "", namespace: "", path: "" };
    if ((await authorize(request.user, { ...asked, ...rest })).allowed) return;
  }
  throw refuse(
    request,
    `user not permitted to ${verb} requests with signerName ${JSON.stringify(signer)}`,
  );
}

/** Read as the signer reads it, which signs nothing that it cannot read. */
function asksForMasters(request: string): boolean {
  try {
    const { subject } = readCertificateRequest(Buffer.from(request, "base64").toString());
    return subject.organizations.includes("system:masters");
  } catch {
    return false;
  }
}

export const certificates = (authorize: Authorize): Admission => ({
  name: "Certificates",
  async mutate({ kind, operation, subresource, object, old, user }) {
    if (kind.group !== group || kind.plural !== "certificatesigningrequests") return;
    if (subresource !== "" || !object) return;
    const { username, groups, uid, extra } = (old?.spec ?? {}) as Record<string, any>;
    const maker =
      operation === "CREATE"
        ? { username: user.name, groups: user.groups, uid: user.uid, extra: user.extra }
        : { username, groups, uid, extra };
    const known = Object.entries(maker).filter(([, value]) => value !== undefined);
    const { username: _, groups: __, uid: ___, extra: ____, ...rest } = object.spec ?? {};
    object.spec = { ...rest, ...Object.fromEntries(known) };
  },
  async validate(request) {
    const { kind, operation, subresource, object, old } = request;
    if (kind.group !== group || kind.plural !== "certificatesigningrequests") return;
    if (operation === "CREATE" && object!.spec?.signerName === clientSigner) {
      if (asksForMasters(object!.spec.request ?? "")) {
        throw refuse(
          request,
          `use of ${clientSigner} signer with system:masters group is not allowed`,
        );
      }
    }
    if (operation !== "UPDATE") return;
    if (subresource === "approval") await mayUse(authorize, request, "approve");
    const signs = !jsonEqual(object!.status?.certificate, old!.status?.certificate);
    if (subresource === "status" && signs) await mayUse(authorize, request, "sign");
  },
});
