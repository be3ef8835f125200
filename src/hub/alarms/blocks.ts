// What alarms hold up: no rollout changes a site that has one which affects its management. Pure.
import { isActive } from "./plan.ts";
import type { Alarm } from "../kinds/alarm.ts";

/** Site to why nothing new begins there. Alarms of a site lie in its namespace. */
export function blockedSites(alarms: Alarm[]): Map<string, string> {
  const blocked = new Map<string, string>();
  for (const alarm of alarms) {
    const { id, entity, reason, managementAffecting, suppressed } = alarm.spec;
    if (!isActive(alarm) || !managementAffecting || suppressed) continue;
    blocked.set(alarm.metadata.namespace!, `alarm ${id} of ${entity}: ${reason}`);
  }
  return blocked;
}
