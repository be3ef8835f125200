// Defaults of the resource group that no schema expresses.
import type { Draft } from "../object.ts";

export function deviceRequestDefaults(spec: any) {
  for (const request of spec?.devices?.requests ?? []) {
    for (const one of [request.exactly, ...(request.firstAvailable ?? [])].filter(Boolean)) {
      one.allocationMode ||= "ExactCount";
      if (one.allocationMode === "ExactCount" && !one.count) one.count = 1;
      for (const toleration of one.tolerations ?? []) toleration.operator ||= "Equal";
    }
  }
}

export const resourceClaimDefaults = ({ spec }: Draft) => deviceRequestDefaults(spec);
export const resourceClaimTemplateDefaults = ({ spec }: Draft) => deviceRequestDefaults(spec?.spec);
