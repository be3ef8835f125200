// Gives approved CertificateSigningRequests of Kubernetes' own signers their certificate.
import { isForAnyClock } from "../lib/any-clock.ts";
import { timestamp } from "../lib/clock.ts";
import { conditionOf, requests } from "./csr.ts";
import type { Signing } from "./csr.ts";
import type { Controller } from "./runtime.ts";

export const csrSigning = (signing: Signing): Controller => ({
  name: "csr-signing",
  inputs: [{ resource: requests }],
  outputs: [{ ...requests, resource: `${requests.resource}/status` }],
  async reconcile(name, { client, clock, informer }) {
    const request = informer(requests).get(name);
    if (!request || request.status?.certificate || !signing.isOwn(request.spec.signerName)) return;
    if (!conditionOf(request, "Approved") || conditionOf(request, "Denied")) return;
    if (conditionOf(request, "Failed")) return;
    const target = { ...requests, name, subresource: "status" };
    const metadata = { resourceVersion: request.metadata.resourceVersion };
    let certificate: string;
    try {
      certificate = Buffer.from(
        signing.sign(request.spec, { anyClock: isForAnyClock(request) }),
      ).toString("base64");
    } catch (error) {
      const time = timestamp(clock.now());
      const failed = {
        type: "Failed",
        status: "True",
        reason: "SignerValidationFailure",
        message: (error as Error).message,
        lastUpdateTime: time,
        lastTransitionTime: time,
      };
      const conditions = [...request.status!.conditions, failed];
      await client.patch(target, "merge", { metadata, status: { conditions } });
      return;
    }
    await client.patch(target, "merge", { metadata, status: { certificate } });
  },
});
