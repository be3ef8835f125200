// A site's alarms, told to its hub, where they lie in the site's namespace. The hub's people may suppress one
// there; what the site says of it otherwise counts.
import type { Client } from "../../client/client.ts";
import type { Informers } from "../../client/informers.ts";
import type { Controller } from "../../controllers/runtime.ts";
import type { Draft } from "../../kinds/object.ts";
import { differs } from "../../lib/differs.ts";
import { isStatus } from "../../lib/status-error.ts";
import { severities } from "../kinds/alarm.ts";
import type { Alarm } from "../kinds/alarm.ts";
import { alarms } from "../kinds/fleet.ts";
import { isActive } from "./plan.ts";

const key = "alarms";
/** A site may have more; the gravest are told. */
export const toldMax = 200;
export const siteLabel = "fleet.kerb.dev/site";

export interface ReportPlan {
  create: Draft[];
  update: { at: Alarm; spec?: object; status?: object }[];
  remove: Alarm[];
}

const order = (alarm: Alarm) =>
  [isActive(alarm) ? 0 : 1, severities.indexOf(alarm.spec.severity)].join();

/** What to change among the `told` alarms in the namespace `site` of the hub. */
export function planReport(own: Alarm[], told: Alarm[], site: string): ReportPlan {
  const grave = own.toSorted((a, b) => (order(a) < order(b) ? -1 : 1)).slice(0, toldMax);
  const at = new Map(told.map((alarm) => [alarm.metadata.name, alarm]));
  const plan: ReportPlan = { create: [], update: [], remove: [] };
  for (const { metadata, spec, status } of grave) {
    const name = `${metadata.namespace}.${metadata.name}`;
    const known = at.get(name);
    at.delete(name);
    const state = { clearedAt: status?.clearedAt ?? null, history: status?.history ?? [] };
    if (!known) {
      const labels = { [siteLabel]: site };
      const apiVersion = `${alarms.group}/${alarms.version}`;
      plan.create.push({
        ...{ apiVersion, kind: "Alarm", spec },
        metadata: { name, namespace: site, labels },
      });
      continue;
    }
    const changes = {
      ...(differs(spec, known.spec) && { spec }),
      ...(differs(state, { history: [], ...known.status }) && { status: state }),
    };
    if (Object.keys(changes).length > 0) plan.update.push({ at: known, ...changes });
  }
  plan.remove = [...at.values()];
  return plan;
}

async function unlessGone(request: Promise<unknown>) {
  await request.catch((error: unknown) => {
    if (!isStatus(error, "NotFound", "AlreadyExists")) throw error;
  });
}

async function carryOut(hub: Client, namespace: string, { create, update, remove }: ReportPlan) {
  const target = (alarm: Alarm) => ({ ...alarms, namespace, name: alarm.metadata.name });
  for (const draft of create) await unlessGone(hub.create({ ...alarms, namespace }, draft));
  for (const { at, spec, status } of update) {
    if (spec) await unlessGone(hub.patch(target(at), "merge", { spec }));
    const place = { ...target(at), subresource: "status" };
    if (status) await unlessGone(hub.patch(place, "merge", { status }));
  }
  for (const alarm of remove) await unlessGone(hub.delete(target(alarm)));
}

/** Whether a hub has alarms at all: those of others do not. */
export async function takesAlarms(hub: Client, site: string): Promise<boolean> {
  try {
    await hub.list({ ...alarms, namespace: site });
    return true;
  } catch (error) {
    if (isStatus(error, "NotFound", "Forbidden")) return false;
    throw error;
  }
}

/** Runs with the hub's informers and client; `own` are the site's. */
export function alarmReport(own: Informers, site: string): Controller {
  const informer = own.get({ resource: alarms });
  return {
    name: "alarm-report",
    inputs: [{ resource: alarms, namespace: site, keys: () => [key] }],
    outputs: [alarms],
    workers: 1,
    async start({ wakeAfter, signal }) {
      await informer.synced();
      const wake = () => wakeAfter(key, 0);
      const stop = informer.subscribe({ onAdd: wake, onUpdate: wake, onDelete: wake });
      signal.addEventListener("abort", () => stop(), { once: true });
      wake();
    },
    async reconcile(_key, context) {
      const mine = informer.list() as Alarm[];
      const told = (context.informer(alarms).list(site) as Alarm[]).filter(
        ({ metadata }) => metadata.labels?.[siteLabel] === site,
      );
      await carryOut(context.client, site, planReport(mine, told, site));
    },
  };
}
