// From rules and the conditions of objects to the alarms that are raised, cleared and forgotten. Pure.
import { shortHash } from "../../controllers/revision-history.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import type { AlarmRule } from "../kinds/alarm-rule.ts";
import type { Alarm, AlarmSpec } from "../kinds/alarm.ts";
import { hubGroup } from "../names.ts";

/** Cleared alarms are forgotten after this long, and the oldest of them when there are more than so many. */
export const keptMs = 30 * 86_400_000;
export const clearedMax = 200;
const historyMax = 10;

export const ruleLabel = "fleet.kerb.dev/rule";
const clusterScopedNamespace = "kube-system";

export const isActive = ({ status }: Alarm) => !status?.clearedAt;

/** What is wrong with one object by one rule. */
interface Finding {
  name: string;
  namespace: string;
  rule: string;
  spec: AlarmSpec;
}

export interface AlarmState {
  rules: AlarmRule[];
  /** Objects of the rule's kind. */
  objectsOf: (rule: AlarmRule) => KubeObject[];
  alarms: Alarm[];
  now: number;
}

export interface AlarmPlan {
  raise: Finding[];
  /** Alarms that are raised again, or whose words changed. */
  update: { alarm: Alarm; finding: Finding }[];
  clear: Alarm[];
  forget: Alarm[];
  /** Wall clock ms at which time alone changes the plan. */
  wakeAt?: number;
}

/** Where the alarms of an object lie: where those may read them who may read the object. */
function namespaceOf({ apiVersion, kind, metadata }: KubeObject): string {
  if (metadata.namespace) return metadata.namespace;
  const isSite = kind === "ManagedCluster" && apiVersion?.startsWith(`${hubGroup}/`);
  return isSite ? metadata.name : clusterScopedNamespace;
}

function conditionOf(rule: AlarmRule, { status }: KubeObject) {
  const { type, statuses } = rule.spec.condition;
  return status?.conditions?.find((one: any) => one.type === type && statuses.includes(one.status));
}

function findingOf(rule: AlarmRule, object: KubeObject, condition: any, now: number): Finding {
  const { namespace, name } = object.metadata;
  const entity = [rule.spec.kind, namespace, name].filter(Boolean).join("/");
  const { id, severity, repair, managementAffecting, suppressed } = rule.spec;
  const reason =
    condition.message || condition.reason || `${condition.type} is ${condition.status}`;
  return {
    name: `${rule.metadata.name}-${shortHash(entity)}`,
    namespace: namespaceOf(object),
    rule: rule.metadata.name,
    spec: {
      ...{ id, entity, severity, reason },
      ...(repair !== undefined && { repair }),
      ...(managementAffecting !== undefined && { managementAffecting }),
      ...(suppressed !== undefined && { suppressed }),
      raisedAt: timestamp(now),
    },
  };
}

interface Findings {
  found: Map<string, Finding>;
  wakeAt: number;
}

const keyOf = ({ namespace, name }: { namespace?: string; name: string }) => `${namespace}/${name}`;

function findAll({ rules, objectsOf, alarms, now }: AlarmState): Findings {
  const known = new Set(alarms.filter(isActive).map(({ metadata }) => keyOf(metadata)));
  const found = new Map<string, Finding>();
  let wakeAt = Infinity;
  for (const rule of rules) {
    const matches = compileSelector(rule.spec.selector ?? {});
    for (const object of objectsOf(rule)) {
      const condition = conditionOf(rule, object);
      if (!condition || !matches(object.metadata.labels ?? {})) continue;
      const finding = findingOf(rule, object, condition, now);
      const since = Date.parse(condition.lastTransitionTime ?? "") || now;
      // A time in the future is some other clock's.
      const due = Math.min(since, now) + (rule.spec.forSeconds ?? 0) * 1000;
      if (due <= now || known.has(keyOf(finding))) found.set(keyOf(finding), finding);
      else wakeAt = Math.min(wakeAt, due);
    }
  }
  return { found, wakeAt };
}

/** The findings' spec, as far as it differs from the alarm's own; a person's suppression of one alarm stays. */
function isSame(alarm: Alarm, { spec }: Finding): boolean {
  const told = ({ id, entity, severity, reason, repair, managementAffecting }: AlarmSpec) =>
    JSON.stringify([id, entity, severity, reason, repair, managementAffecting]);
  return isActive(alarm) && told(alarm.spec) === told(spec);
}

export function planAlarms(state: AlarmState): AlarmPlan {
  const { alarms, now } = state;
  const { found, wakeAt } = findAll(state);
  const own = alarms.filter(({ metadata }) => metadata.labels?.[ruleLabel]);
  const plan: AlarmPlan = { raise: [], update: [], clear: [], forget: [] };
  const kept = new Map(own.map((alarm) => [keyOf(alarm.metadata), alarm]));
  for (const [key, finding] of found) {
    const alarm = kept.get(key);
    if (!alarm) plan.raise.push(finding);
    else if (!isSame(alarm, finding)) plan.update.push({ alarm, finding });
  }
  plan.clear = own.filter((alarm) => isActive(alarm) && !found.has(keyOf(alarm.metadata)));
  const over = own
    .filter((alarm) => !isActive(alarm) && !found.has(keyOf(alarm.metadata)))
    .toSorted((a, b) => (a.status!.clearedAt! < b.status!.clearedAt! ? 1 : -1));
  plan.forget = over.filter(
    ({ status }, i) => i >= clearedMax || Date.parse(status!.clearedAt!) + keptMs <= now,
  );
  return wakeAt === Infinity ? plan : { ...plan, wakeAt };
}

/** What a cleared alarm remembers of the times before. */
export function historyOf({ spec, status }: Alarm) {
  const past = status?.history ?? [];
  if (!spec.raisedAt || !status?.clearedAt) return past;
  return [...past, { raisedAt: spec.raisedAt, clearedAt: status.clearedAt }].slice(-historyMax);
}
