// What a site that tries another release, or other options, owes: the containers it had, and that every pod which was
// Ready is Ready again. What it had is written down before it stops; what it still lacks, for whoever gives it up.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { parseKubeconfig } from "../../client/kubeconfig.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { isTrue } from "../../lib/conditions.ts";
import { askSite } from "../commands/ask-site.ts";
import { readIfThere, replaceFile } from "../files.ts";
import type { Site } from "./site.ts";

/** DIR/trial.json. */
export interface Debt {
  containers: boolean;
  /** Uids of pods that were Ready. */
  pods: string[];
  /** In words, while the trial goes on. */
  missing?: string;
}

/**
 * All must be there for so long: the node looks at its containers before what the API says of them is true again, and
 * at memory and disk only every ten seconds.
 */
const steadyMs = 15_000;
const lookEveryMs = 1000;
const namedMax = 3;

const debtFile = (directory: string) => join(directory, "trial.json");

export function readDebt(directory: string): Debt | undefined {
  const text = readIfThere(debtFile(directory));
  return text === undefined ? undefined : (JSON.parse(text) as Debt);
}

const writeDebt = (directory: string, debt: Debt) =>
  replaceFile(debtFile(directory), `${JSON.stringify(debt)}\n`);

export const forgetDebt = (directory: string) => rmSync(debtFile(directory), { force: true });

const isReady = ({ status }: KubeObject) => isTrue(status?.conditions, "Ready");
const nameOf = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`;

/** Pods that a site is to have again. Pure. */
export const owedPods = (pods: KubeObject[]): string[] =>
  pods
    .filter((pod) => isReady(pod) && !pod.metadata.deletionTimestamp)
    .map(({ metadata }) => metadata.uid);

/** What of a debt is not there; undefined when all is. Who was deleted meanwhile is owed no more. Pure. */
export function missingOf(debt: Debt, hasContainers: boolean, pods: KubeObject[]) {
  if (debt.containers && !hasContainers) return "the site has no containers any more";
  const owed = new Set(debt.pods);
  const late = pods
    .filter((pod) => owed.has(pod.metadata.uid) && !pod.metadata.deletionTimestamp && !isReady(pod))
    .map(nameOf);
  if (late.length === 0) return undefined;
  const more = late.length > namedMax ? ` and ${late.length - namedMax} more` : "";
  return `${late.slice(0, namedMax).join(", ")}${more} did not come back`;
}

async function podsOf({ kubeconfig, name }: Site): Promise<KubeObject[]> {
  const connection = parseKubeconfig(readFileSync(kubeconfig, "utf8"));
  const path = `/api/v1/pods?fieldSelector=spec.nodeName%3D${name}`;
  return ((await json(await askSite(connection, "GET", path))) as { items: KubeObject[] }).items;
}

const hasContainers = ({ state }: Site) => state === "Ready";

/** Before a site stops to try something. */
export async function noteDebt(directory: string, site: Site) {
  const containers = hasContainers(site);
  const pods = containers ? owedPods(await podsOf(site)) : [];
  writeDebt(directory, { containers, pods });
}

/** Resolves when all is there that was; until then the file says what is missing. */
export async function payDebt(directory: string, site: Site, clock: Clock) {
  const debt = readDebt(directory);
  if (!debt) return;
  const steady = debt.pods.length > 0 ? steadyMs : 0;
  let told: string | undefined;
  for (let since = clock.monotonic(); ; await sleep(clock, lookEveryMs)) {
    const missing = missingOf(debt, hasContainers(site), await podsOf(site));
    const now = clock.monotonic();
    if (missing !== undefined) since = now;
    else if (now - since >= steady) return forgetDebt(directory);
    if (missing !== told) writeDebt(directory, { ...debt, ...(missing && { missing }) });
    told = missing;
  }
}
