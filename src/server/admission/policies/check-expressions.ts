// Policies and webhook configurations whose expressions do not compile are refused when they are written.
import type { KubeObject } from "../../../kinds/object.ts";
import { invalidValue } from "../../../kinds/field-checks.ts";
import { invalid, type FieldError } from "../../../lib/status-error.ts";
import type { Admission } from "../../policy.ts";
import { isAbout } from "../refuse.ts";
import { compileConditions, policyCompiler, type Report } from "./expressions.ts";
import { compileMutatingPolicy } from "./mutating.ts";
import { compilePolicy } from "./validating.ts";

async function checkWebhooks(configuration: KubeObject, report: Report) {
  for (const [i, webhook] of (configuration["webhooks"] ?? []).entries()) {
    if (!webhook.matchConditions?.length) continue;
    const at = `webhooks[${i}].matchConditions`;
    compileConditions(await policyCompiler(report), webhook.matchConditions, at);
  }
}

const checks: Record<string, (object: KubeObject, report: Report) => Promise<unknown>> = {
  "mutatingadmissionpolicies.admissionregistration.k8s.io": compileMutatingPolicy,
  "validatingadmissionpolicies.admissionregistration.k8s.io": compilePolicy,
  "validatingwebhookconfigurations.admissionregistration.k8s.io": checkWebhooks,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": checkWebhooks,
};

export const checkExpressions: Admission = {
  name: "AdmissionExpressions",
  async validate(request) {
    const { object, kind } = request;
    if (!object || kind.group !== "admissionregistration.k8s.io") return;
    const check = Object.entries(checks).find(([resource]) => isAbout(request, resource))?.[1];
    if (!check) return;
    const errors: FieldError[] = [];
    await check(object, (path, expression, why) =>
      errors.push(invalidValue(path, expression, why)),
    );
    if (errors.length > 0) throw invalid(kind.kind, kind.group, object.metadata.name, errors);
  },
};
