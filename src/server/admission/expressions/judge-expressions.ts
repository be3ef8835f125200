// Objects whose expressions do not compile are refused when they are written, with all else that is wrong in them.
import type { KubeObject } from "../../../kinds/object.ts";
import { jsonEqual } from "../../../lib/json.ts";
import type { FieldError } from "../../../lib/status-error.ts";
import type { Admission } from "../../policy.ts";
import { claimErrors, classErrors, templateErrors } from "./device-expressions.ts";
import {
  mutatingPolicyErrors,
  validatingPolicyErrors,
  webhookErrors,
} from "./policy-expressions.ts";

type Judge = (object: KubeObject) => Promise<FieldError[]>;

/** By group, then by plural. */
const judges: Record<string, Record<string, Judge>> = {
  "admissionregistration.k8s.io": {
    mutatingadmissionpolicies: mutatingPolicyErrors,
    validatingadmissionpolicies: validatingPolicyErrors,
    mutatingwebhookconfigurations: webhookErrors,
    validatingwebhookconfigurations: webhookErrors,
  },
  "resource.k8s.io": {
    deviceclasses: classErrors,
    resourceclaims: claimErrors,
    resourceclaimtemplates: templateErrors,
  },
};

const isSame = (now: KubeObject, old: KubeObject) =>
  jsonEqual(now.spec, old.spec) && jsonEqual(now["webhooks"], old["webhooks"]);

export const judgeExpressions: Admission = {
  name: "Expressions",
  judge({ object, old, kind, subresource }) {
    const judge = judges[kind.group]?.[kind.plural];
    if (!judge || !object || subresource !== "" || (old && isSame(object, old))) return undefined;
    return judge(object);
  },
};
