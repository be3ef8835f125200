// What a round with a device comes to, as the twin's status. Pure.
import { withTimes } from "../kinds/condition.ts";
import type { DeviceTwin, ReportedProperty } from "../kinds/device-twin.ts";
import { sameValue } from "./channel.ts";

export interface Heard {
  /** By property. */
  values: ReadonlyMap<string, { reported?: string; error?: string }>;
  /** Why the device does not answer; undefined when it does. */
  away: string | undefined;
}

const errorCharsMax = 500;

function propertiesOf({ spec, status }: DeviceTwin, { values }: Heard, now: string) {
  return (spec.properties ?? []).map(({ name }): ReportedProperty => {
    const before = status?.properties?.find((one) => one.name === name);
    const { reported = before?.reported, error } = values.get(name) ?? {};
    const since = reported === before?.reported ? before?.since : now;
    return {
      name,
      ...(reported !== undefined && { reported }),
      ...(since !== undefined && { since }),
      ...(error !== undefined && { error: error.slice(0, errorCharsMax) }),
    };
  });
}

export function statusOf(
  twin: DeviceTwin,
  heard: Heard,
  { node, now }: { node: string; now: string },
) {
  const properties = propertiesOf(twin, heard, now);
  const behind = (twin.spec.properties ?? []).filter(({ name, desired, mode }) => {
    const reported = properties.find((one) => one.name === name)?.reported;
    return mode === "ReadWrite" && desired !== undefined && !sameValue(desired, reported);
  });
  const online = heard.away === undefined;
  const said = [
    {
      type: "Online",
      status: online ? "True" : "False",
      reason: online ? "Answers" : "NoAnswer",
      message: heard.away ?? "",
    },
    {
      type: "Synced",
      status: behind.length === 0 ? "True" : "False",
      reason: behind.length === 0 ? "AsDesired" : online ? "Writing" : "Queued",
      message: behind.map(({ name, desired }) => `${name} is to be ${desired}`).join(", "),
    },
  ];
  const conditions = withTimes(twin.status?.conditions, said, now);
  return { node, properties, conditions };
}
