// The list of what kinds do beyond their schema. One import and one line a kind.
import { localAvailability } from "./apiregistration/api-service.ts";
import { jobSelector } from "./batch/defaults.ts";
import { namespaceFinalizer } from "./core/defaults.ts";
import { eventsConversion } from "./events/convert.ts";
import type { Kind } from "./kind.ts";
import { qosClassOf } from "../lib/qos-class.ts";

/** By resource name: plural, a dot and the group unless core. */
export const behaviours: Record<string, Partial<Kind>> = {
  namespaces: { prepareForCreate: namespaceFinalizer },
  pods: {
    prepareForCreate: (pod) => {
      pod.status = { phase: "Pending", qosClass: qosClassOf(pod.spec ?? {}) };
    },
  },
  persistentvolumes: {
    prepareForCreate: (volume) => {
      volume.status = { ...volume.status, phase: "Pending" };
    },
  },
  persistentvolumeclaims: {
    prepareForCreate: (claim) => {
      claim.status = { phase: "Pending" };
    },
  },
  "apiservices.apiregistration.k8s.io": { prepareForCreate: localAvailability },
  "events.events.k8s.io": eventsConversion,
  "jobs.batch": { prepareForCreate: jobSelector },
};
