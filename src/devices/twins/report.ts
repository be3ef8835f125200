// What a round with a device comes to, as the twin's status. Pure.
import { withTimes } from "../kinds/condition.ts";
import type { DeviceTwin, ReportedProperty, TwinProperty } from "../kinds/device-twin.ts";
import { sameValue } from "./channel.ts";

export interface Heard {
  /** By property. */
  values: ReadonlyMap<string, { reported?: string; error?: string }>;
  /** Why the device does not answer; undefined when it does. */
  away: string | undefined;
}

const errorCharsMax = 500;

const isRefused = ({ mode, desired }: TwinProperty) =>
  mode !== "ReadWrite" && desired !== undefined;

function propertiesOf({ spec, status }: DeviceTwin, { values }: Heard, now: string) {
  return (spec.properties ?? []).map((property): ReportedProperty => {
    const { name } = property;
    const before = status?.properties?.find((one) => one.name === name);
    const { reported = before?.reported, ...value } = values.get(name) ?? {};
    const readOnly = isRefused(property)
      ? "it is ReadOnly: what is desired is not written"
      : undefined;
    const error = value.error ?? readOnly;
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
  const behind = (twin.spec.properties ?? []).filter(({ name, desired }) => {
    const reported = properties.find((one) => one.name === name)?.reported;
    return desired !== undefined && !sameValue(desired, reported);
  });
  const online = heard.away === undefined;
  const waiting = behind.every(isRefused) ? "ReadOnly" : online ? "Writing" : "Queued";
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
      reason: behind.length === 0 ? "AsDesired" : waiting,
      message: behind.map(({ name, desired }) => `${name} is to be ${desired}`).join(", "),
    },
  ];
  const conditions = withTimes(twin.status?.conditions, said, now);
  return { node, properties, conditions };
}
