// What is done to a container that runs: probes, and hooks at its start and its end.
import { invalidValue, portNumber, portNumberOrName } from "../field-checks.ts";
import { headerName } from "../name-rules.ts";
import {
  all,
  atLeast,
  fields,
  holds,
  named,
  needed,
  none,
  oneOf,
  oneSource,
  orZero,
  positive,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

type Any = Record<string, any>;

const port = orZero(portNumberOrName);

/** Told at the list, as upstream does. */
const headers: Rule = (list: Any[], at) =>
  list.flatMap(({ name = "" }) => named(headerName)(name, at));

const actions: Record<string, Rule> = {
  exec: fields({ command: needed() }),
  httpGet: fields({ port, scheme: oneOf("HTTP", "HTTPS"), httpHeaders: headers }),
  tcpSocket: fields({ port }),
};

const [missing, many] = [
  "must specify a handler type",
  "may not specify more than 1 handler type",
] as const;

const times = "initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold";
const probe = all(
  oneSource({ ...actions, grpc: fields({ port: orZero(portNumber) }) }, missing, many),
  fields({
    ...Object.fromEntries(times.split(" ").map((name) => [name, atLeast(0)])),
    terminationGracePeriodSeconds: positive,
  }),
);
const onceGood = all(
  probe,
  fields({ successThreshold: holds((count) => count === 1, "must be 1") }),
);
const unset = holds(() => false, "must not be set for readinessProbes");

export const probes: Record<string, Rule> = {
  livenessProbe: onceGood,
  readinessProbe: all(probe, fields({ terminationGracePeriodSeconds: unset })),
  startupProbe: onceGood,
};

/** A hook may not sleep longer than its pod may take to end. */
const hook = oneSource({ ...actions, sleep: () => none }, missing, many);

function sleepErrors(handler: Any | undefined, at: string, grace: number): Errors {
  const { seconds = 0 } = handler?.["sleep"] ?? {};
  if (seconds >= 0 && seconds <= grace) return none;
  const why = `must be non-negative and less than terminationGracePeriodSeconds (${grace})`;
  return [invalidValue(`${at}.sleep`, seconds, why)];
}

const hooks = fields({ postStart: hook, preStop: hook });

/** A signal of its own to stop with is a feature that is off: it is not judged. */
export function lifecycleErrors(lifecycle: Any, at: string, grace = 30): Errors {
  const { postStart, preStop } = lifecycle;
  return [
    ...hooks(lifecycle, at),
    ...sleepErrors(postStart, `${at}.postStart`, grace),
    ...sleepErrors(preStop, `${at}.preStop`, grace),
  ];
}
