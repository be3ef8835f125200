// The plugins in the order they run, as upstream's. They replace what they change instead of writing into
// it: a controller may have made the pod from a template that others read.
import type { Kinds } from "../../kinds/kinds.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { Store } from "../../store/store.ts";
import type { Admission, Authorize } from "../policy.ts";
import { adminAccess } from "./admin-access.ts";
import { claimResize } from "./claim-resize.ts";
import { certificates } from "./certificates.ts";
import { defaultIngressClass } from "./default-ingress-class.ts";
import { defaultStorageClass } from "./default-storage-class.ts";
import { defaultTolerations } from "./default-tolerations.ts";
import { limitRanger } from "./limit-ranger.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { objectReader } from "./object-reader.ts";
import { nodeRestriction } from "./node-restriction.ts";
import { ownerReferences } from "./owner-references.ts";
import { judgeExpressions } from "./expressions/judge-expressions.ts";
import { mutatingPolicies } from "./policies/mutating.ts";
import { validatingPolicies } from "./policies/validating.ts";
import { podSecurity } from "./pod-security/pod-security.ts";
import type { PodSecurityOptions } from "./pod-security/pod-security.ts";
import { priority } from "./priority.ts";
import { resourceQuota } from "./resource-quota.ts";
import { runtimeClass } from "./runtime-class.ts";
import { serviceAccount } from "./service-account.ts";
import { storageProtection } from "./storage-protection.ts";
import { taintNodes } from "./taint-nodes.ts";
import type { CallOptions } from "./webhooks/call.ts";
import { mutatingWebhooks, validatingWebhooks } from "./webhooks/webhooks.ts";

export interface AdmissionOptions {
  store: Store;
  kinds: Kinds;
  log: Log;
  /** Connects to one of a Service's endpoints. */
  dialService: CallOptions["dialService"];
  clock: Clock;
  random: Random;
  authorize: Authorize;
  podSecurity?: Pick<PodSecurityOptions, "defaults" | "exemptions">;
}

export function admissionPlugins(options: AdmissionOptions): Admission[] {
  const reader = objectReader(options.store);
  return [
    namespaceLifecycle(reader),
    limitRanger(reader),
    serviceAccount({ ...options, reader }),
    nodeRestriction(reader),
    taintNodes,
    priority(reader),
    defaultTolerations,
    defaultStorageClass(reader),
    storageProtection,
    claimResize(reader),
    podSecurity({ ...options.podSecurity, store: options.store, reader }),
    runtimeClass(reader),
    ownerReferences(options),
    certificates(options.authorize),
    defaultIngressClass(reader),
    adminAccess(reader),
    mutatingPolicies({ ...options, reader }),
    mutatingWebhooks({ ...options, reader }),
    judgeExpressions,
    validatingPolicies({ ...options, reader }),
    validatingWebhooks({ ...options, reader }),
    resourceQuota({ ...options, reader }),
  ];
}
