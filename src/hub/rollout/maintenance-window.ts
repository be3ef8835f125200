// Says of each MaintenanceWindow whether it can be understood: one that cannot never opens.
import type { Controller } from "../../controllers/runtime.ts";
import { differs } from "../../lib/differs.ts";
import { withConditions } from "../../lib/conditions.ts";
import type { Condition } from "../../lib/conditions.ts";
import { maintenanceWindows } from "../kinds/fleet.ts";
import { faultOf } from "./window.ts";
import type { MaintenanceWindow } from "./window.ts";

function validity(spec: MaintenanceWindow): Condition {
  const type = "Valid";
  const fault = faultOf(spec);
  return fault === undefined
    ? { type, status: "True", reason: "Understood", message: "" }
    : { type, status: "False", reason: "NotUnderstood", message: `${fault}; it never opens` };
}

export const maintenanceWindow: Controller = {
  name: "maintenance-window",
  inputs: [{ resource: maintenanceWindows }],
  outputs: [maintenanceWindows],
  async reconcile(name, { client, clock, informer }) {
    const window = informer(maintenanceWindows).get(name);
    if (!window) return;
    const wanted = [validity(window.spec as MaintenanceWindow)];
    const conditions = withConditions(window.status?.conditions, wanted, clock.now());
    if (!differs(conditions, window.status?.conditions)) return;
    const target = { ...maintenanceWindows, name, subresource: "status" };
    await client.patch(target, "merge", { status: { conditions } });
  },
};
