// Keeps Alarms as the rules and the conditions of objects have them. Runs at hubs and at their sites.
import type { Client } from "../../client/client.ts";
import { resourceKey } from "../../client/informers.ts";
import type { Informers } from "../../client/informers.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import { timestamp } from "../../lib/clock.ts";
import type { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import type { Informer } from "../../client/informer.ts";
import type { AlarmRule } from "../kinds/alarm-rule.ts";
import type { Alarm } from "../kinds/alarm.ts";
import { alarmRules, alarms } from "../kinds/fleet.ts";
import { historyOf, planAlarms, ruleLabel } from "./plan.ts";
import type { AlarmPlan } from "./plan.ts";

const key = "alarms";
/** Changes come in bursts. */
const settleMs = 200;
/** A kind that a rule names may be served later. */
const lookAgainMs = 60_000;
const wakeMsMax = 3_600_000;

/** The objects that rules ask about. */
class Watched {
  readonly #informers: Informers;
  readonly #scope: Scope;
  readonly #byKind = new Map<string, Informer>();
  readonly #subscribed = new Set<string>();

  constructor(informers: Informers, scope: Scope) {
    this.#informers = informers;
    this.#scope = scope;
  }

  of({ spec: { group = "", kind } }: AlarmRule): Informer | undefined {
    return this.#byKind.get(`${group}/${kind}`);
  }

  /** Resolves with the kinds that nobody serves. */
  async follow(rules: AlarmRule[], { discover, wakeAfter }: ControllerContext): Promise<string[]> {
    const unknown = rules.filter((rule) => !this.of(rule));
    if (unknown.length === 0) return [];
    const served = await discover();
    const missing: string[] = [];
    for (const { spec } of unknown) {
      const { group = "", kind } = spec;
      const found = served.find(
        (one) => one.group === group && one.kind === kind && one.verbs.includes("watch"),
      );
      if (!found) {
        missing.push(kind);
        continue;
      }
      const informer = this.#informers.get({ resource: found });
      await informer.synced();
      this.#byKind.set(`${group}/${kind}`, informer);
      if (this.#subscribed.has(resourceKey(found))) continue;
      this.#subscribed.add(resourceKey(found));
      const wake = () => wakeAfter(key, settleMs);
      this.#scope.defer(informer.subscribe({ onAdd: wake, onUpdate: wake, onDelete: wake }));
    }
    return missing;
  }
}

async function unlessGone(request: Promise<unknown>) {
  await request.catch((error: unknown) => {
    if (!isStatus(error, "NotFound", "AlreadyExists")) throw error;
  });
}

const targetOf = ({ metadata }: Alarm) => ({
  ...alarms,
  namespace: metadata.namespace!,
  name: metadata.name,
});

async function carryOut(client: Client, plan: AlarmPlan, now: number) {
  const status = (alarm: Alarm, status: object) =>
    unlessGone(client.patch({ ...targetOf(alarm), subresource: "status" }, "merge", { status }));
  for (const { name, namespace, rule, spec } of plan.raise) {
    const metadata = { name, namespace, labels: { [ruleLabel]: rule } };
    const draft = {
      apiVersion: `${alarms.group}/${alarms.version}`,
      kind: "Alarm",
      metadata,
      spec,
    };
    // A namespace may be on its way out.
    await client.create({ ...alarms, namespace }, draft).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists", "NotFound", "Forbidden")) throw error;
    });
  }
  for (const { alarm, finding } of plan.update) {
    const { raisedAt, ...words } = finding.spec;
    const again = alarm.status?.clearedAt !== undefined && alarm.status.clearedAt !== null;
    if (again) await status(alarm, { clearedAt: null, history: historyOf(alarm) });
    const spec = again ? { ...words, raisedAt } : words;
    await unlessGone(client.patch(targetOf(alarm), "merge", { spec }));
  }
  for (const alarm of plan.clear) await status(alarm, { clearedAt: timestamp(now) });
  for (const alarm of plan.forget) await unlessGone(client.delete(targetOf(alarm)));
}

export function alarmController(informers: Informers, scope: Scope): Controller {
  const watched = new Watched(informers, scope);
  const wake = () => [key];
  return {
    name: "alarm",
    inputs: [
      { resource: alarmRules, keys: wake },
      { resource: alarms, keys: wake },
    ],
    outputs: [alarms],
    workers: 1,
    async reconcile(_key, context) {
      const { client, clock, informer, wakeAfter, log } = context;
      const rules = informer(alarmRules).list() as AlarmRule[];
      const missing = await watched.follow(rules, context);
      if (missing.length > 0) {
        log.debug("nobody serves what rules ask about", { kinds: missing.join() });
        wakeAfter(key, lookAgainMs);
      }
      const now = clock.now();
      const plan = planAlarms({
        rules,
        objectsOf: (rule) => watched.of(rule)?.list() ?? [],
        alarms: informer(alarms).list() as Alarm[],
        now,
      });
      await carryOut(client, plan, now);
      if (plan.wakeAt !== undefined) wakeAfter(key, Math.min(plan.wakeAt - now + 1, wakeMsMax));
    },
  };
}
