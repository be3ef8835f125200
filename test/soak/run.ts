// `npm run soak`: a site on a small disk of its own lives through one trial after the other;
// what it has of the machine is counted before and after each.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { InvalidArgumentError } from "commander";
import { parseCount } from "../../src/cli/up.ts";
import { importBusybox } from "../support/image.ts";
import { isInterrupted } from "../support/interrupt.ts";
import { runner } from "../support/runner.ts";
import { freePort } from "../support/site.ts";
import { SiteOnDisk } from "../support/site-on-disk.ts";
import { counts, grown, take } from "./census.ts";
import type { Census, Growth } from "./census.ts";
import { diskOf, inMachineOfItsOwn, smallDisk } from "./own-machine.ts";
import { slotsDirectory } from "../../src/main/config.ts";
import { deployment, upOptions } from "./trials.ts";
import { trials, warmUp } from "./list.ts";

/** Part of a trial's name. */
function parseTrials(words: string): string {
  if (trials.some(({ name }) => name.includes(words))) return words;
  throw new InvalidArgumentError("no trial has this in its name.");
}

const list = trials.map(({ name }) => `  ${name}`).join("\n");
const { minutes, seed, only } = runner(
  "soak",
  "A site on a small disk of its own lives through one trial after the other, in an order that the seed " +
    "tells; all that it has of the machine is counted before and after each, and must not grow. As root.",
  { "--minutes 60": "an hour", "--only kill": "the trials with this in their names" },
)
  .option("--minutes <n>", "how long trials go on", parseCount, 10)
  .option("--seed <n>", "the same seed, the same order", parseCount, 1)
  .option("--only <words>", "the trials with these in their names", parseTrials)
  .addHelpText("after", `\nTrials:\n${list}`)
  .parse()
  .opts<{ minutes: number; seed: number; only?: string }>();

/** Small and known, so that a run can be had again (Park and Miller). */
function randomFrom(seed: number) {
  let state = (seed * 48_271) % 2_147_483_647 || 1;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

function shuffled<T>(list: T[], random: () => number): T[] {
  return list
    .map((one) => ({ one, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}

const home = await inMachineOfItsOwn((folder) => smallDisk(folder));
const site = new SiteOnDisk(diskOf(home), await freePort());

function ownerOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "";
  }
}

/** The cgroups of machines that joined outlive their folders where somebody forgot them; others may have their slots. */
const names = () =>
  readdirSync(slotsDirectory)
    .filter((slot) => ownerOf(join(slotsDirectory, slot)).startsWith(home))
    .map((slot) => `kerb${slot}`);
const census = () => take({ directory: home, names: names(), pid: site.pid });

/** How many more of these are no leak: a probe that runs a program has four files meanwhile. */
const room = { descriptors: 8, files: 4 };

const told = ({ kind, before, now }: Growth) => `${kind}: ${before} before, ${now} now`;

/** What is on its way out may take a moment. */
async function settled(before: Census): Promise<{ now: Census; more: Growth[] }> {
  for (let tries = 0; ; tries++) {
    const now = await census();
    const more = grown(before, now, room);
    if (more.length === 0 || tries === 150) return { now, more };
    await setTimeout(1000);
  }
}

/** One that was restarted keeps what its last instance left. */
async function freshCanary() {
  const { items } = await site.get("pods", "-l", "app=canary");
  const restarted = items.some(
    ({ status }: any) => status.containerStatuses?.[0]?.restartCount > 0,
  );
  if (!restarted) return;
  await site.kubectl(["delete", "pod", "-l", "app=canary", "--timeout=60s"], { timeoutMs: 90_000 });
  await site.kubectl(["rollout", "status", "deployment/canary", "--timeout=120s"], {
    timeoutMs: 130_000,
  });
}

const memory = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${site.pid}/status`, "utf8"))?.[1]) / 1024;

const failures: string[] = [];
let rounds = 0;
try {
  await site.up(...upOptions);
  await importBusybox(site);
  // Once, so that what is made at the first use is there.
  for (const trial of warmUp) await trial.run(site);
  await site.apply(deployment("canary", 1));
  await site.kubectl(["rollout", "status", "deployment/canary", "--timeout=120s"]);
  await setTimeout(5000);
  const before = await census();
  console.log(`before   ${counts(before)} ${memory().toFixed(0)} MiB`);
  const random = randomFrom(seed);
  const endsAt = performance.now() + minutes * 60_000;
  const chosen = trials.filter(({ name }) => name.includes(only ?? ""));
  const isOver = () => isInterrupted() || performance.now() >= endsAt;
  while (!isOver()) {
    for (const trial of shuffled(chosen, random)) {
      if (isOver()) break;
      const began = performance.now();
      console.log(`        ${trial.name} ...`);
      let outcome = "ok";
      try {
        await trial.run(site);
      } catch (error) {
        if (isInterrupted()) break;
        outcome = `FAILED: ${String(error).slice(0, 600)}`;
        failures.push(`${trial.name}: ${outcome}`);
        console.error(outcome);
        await site.up(...upOptions).catch((again) => console.error(String(again)));
        await site.tryKubectl(["delete", "pod,deployment", "-l", "soak=yes"]).catch(() => {});
      }
      await site
        .kubectl(["rollout", "status", "deployment/canary", "--timeout=120s"], {
          timeoutMs: 130_000,
        })
        .catch((error) =>
          failures.push(`canary after ${trial.name}: ${String(error).slice(0, 300)}`),
        );
      await freshCanary().catch((error) => {
        failures.push(`canary after ${trial.name}: ${String(error).slice(0, 300)}`);
        console.error(readFileSync(join(site.directory, "kerb.log"), "utf8").slice(-4000));
      });
      const { now, more } = await settled(before);
      const notes = more.map(told).join("; ");
      if (notes) failures.push(`after ${trial.name}: ${notes}`);
      const seconds = ((performance.now() - began) / 1000).toFixed(0);
      console.log(
        `${seconds.padStart(4)} s  ${trial.name}: ${outcome}${notes && ` GREW ${notes}`}`,
      );
      console.log(`        ${counts(now)} ${memory().toFixed(0)} MiB`);
      for (const { kind, changes } of grown(before, now, {})) {
        for (const change of changes) console.log(`        ${kind} ${change}`);
      }
    }
    rounds++;
  }
} finally {
  // Whoever was interrupted takes down what was started, and ends this.
  if (isInterrupted()) await new Promise(() => {});
  await site.down("--grace-period=0").catch((error) => failures.push(String(error)));
}
for (const failure of failures) console.error(`FAILED  ${failure}`);
console.log(`${rounds} rounds, ${failures.length} failures`);
process.exit(failures.length > 0 ? 1 : 0);
