// pause, unpause, softreboot, reset, freeze, unfreeze
import type { KubeObject } from "../../../kinds/object.ts";
import { conflict, forbidden } from "../../../lib/status-error.ts";
import type { VmControl } from "../../control.ts";
import { done, hasCondition } from "../handler.ts";
import type { Handler } from "../handler.ts";

const of = { group: "kubevirt.io", resource: "virtualmachineinstance" };
const refuse = ({ metadata }: KubeObject, why: string) => conflict(of, metadata.name, why);

type Check = (vmi: KubeObject) => void;

/** A guest that is running is asked for what `act` says, unless `check` throws. */
const acting =
  (check: Check, act: (control: VmControl, body: any) => Promise<void>): Handler =>
  async (call) => {
    const vmi = await call.access.runningInstance(call);
    check(vmi);
    if (!call.dryRun) await act(await call.access.controlOf(vmi), call.body);
    return done;
  };

const isPaused = (vmi: KubeObject) => hasCondition(vmi, "Paused");

const mayPause: Check = (vmi) => {
  if (isPaused(vmi)) throw refuse(vmi, "VMI is already paused");
  const { livenessProbe } = vmi.spec;
  if (livenessProbe && !livenessProbe.guestAgentPing) {
    throw forbidden(
      of,
      vmi.metadata.name,
      "Pausing VMIs with LivenessProbe is currently not supported",
    );
  }
};

const mayUnpause: Check = (vmi) => {
  if (!isPaused(vmi)) throw refuse(vmi, "VMI is not paused");
};

const mayReboot: Check = (vmi) => {
  if (isPaused(vmi)) throw refuse(vmi, "VMI is paused");
  const acpi = vmi.spec.domain.features?.acpi?.enabled ?? true;
  if (acpi || hasCondition(vmi, "AgentConnected")) return;
  throw refuse(vmi, "VMI neither have the agent connected nor the ACPI feature enabled");
};

const hasAgent: Check = (vmi) => {
  if (!hasCondition(vmi, "AgentConnected")) {
    throw refuse(vmi, "VMI does not have guest agent connected");
  }
};

/** A guest that nobody thaws thaws by itself. */
const frozenSecondsMax = 300;

const secondsOf = (text: unknown): number => {
  const [, count, unit] = /^(\d+)(s|m)/.exec(String(text ?? "")) ?? [];
  const seconds = Number(count ?? 0) * (unit === "m" ? 60 : 1);
  return seconds > 0 ? Math.min(seconds, frozenSecondsMax) : frozenSecondsMax;
};

export const pause = acting(mayPause, (control) => control.pause());
export const unpause = acting(mayUnpause, (control) => control.unpause());
export const softreboot = acting(mayReboot, (control) => control.softReboot());
export const reset = acting(
  () => {},
  (control) => control.reset(),
);
export const freeze = acting(hasAgent, (control, body) =>
  control.freeze(secondsOf(body.unfreezeTimeout)),
);
export const unfreeze = acting(hasAgent, (control) => control.thaw());
