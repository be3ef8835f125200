// CertificateSigningRequests that have served, or that nobody answered, go.
import type { KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import { conditionOf, requests } from "./csr.ts";
import type { Controller } from "./runtime.ts";

const hourMs = 3_600_000;
const answeredMs = hourMs;
const unansweredMs = 24 * hourMs;

/** How long the request may still stay. Pure. */
export function leftMs(request: KubeObject, now: number): number {
  const answers = ["Approved", "Denied", "Failed"].map((type) => conditionOf(request, type));
  const answered = answers.filter(Boolean).map((one) => Date.parse(one.lastUpdateTime) || now);
  const made = Date.parse(request.metadata.creationTimestamp!);
  // An approved one that has no certificate yet waits for its signer like one that nobody answered.
  const waits =
    answered.length === 0 || (answers[0] && !answers[2] && !request.status?.certificate);
  const end = waits ? made + unansweredMs : Math.max(...answered) + answeredMs;
  // A time that lies ahead was told by a wrong clock.
  return Math.max(0, Math.min(end - now, unansweredMs));
}

export const csrCleaner: Controller = {
  name: "csr-cleaner",
  inputs: [{ resource: requests }],
  outputs: [requests],
  async reconcile(name, { client, clock, informer, wakeAfter }) {
    const request = informer(requests).get(name);
    if (!request) return;
    const left = leftMs(request, clock.now());
    if (left > 0) return wakeAfter(name, left);
    await client.delete({ ...requests, name }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  },
};
