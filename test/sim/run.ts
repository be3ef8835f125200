// `npm run sim -- --seed N --sites N --minutes N [--settle N]`: replays one simulated fleet and tells what happened.
import { parseCount } from "../../src/cli/up.ts";
import { runner } from "../support/runner.ts";
import { simulateFleet } from "./fleet.ts";

/** More sites than this have no API servers of their own. */
const wholeMax = 200;

interface Options {
  seed: number;
  sites: number;
  minutes: number;
  settle: number;
  concurrency: number;
  light: boolean;
  quiet: boolean;
}

const options = runner(
  "sim",
  "Replays a simulated fleet from its seed and tells what happened: a hub and its sites, links that are " +
    "cut, machines that lose power, clocks that lie. A hundred sites take seconds; two thousand a core for " +
    "ten minutes and 2 GB.",
  {
    "--seed 7": "another fleet",
    "--seed 7 --sites 1000 --minutes 120 --quiet": "only what is wrong with a large one",
  },
)
  .option("--seed <n>", "the same seed, the same story", parseCount, 1)
  .option(
    "--sites <n>",
    `beyond ${wholeMax} each agent has a disk and no API server`,
    parseCount,
    100,
  )
  .option("--minutes <n>", "simulated, with trouble", parseCount, 60)
  .option(
    "--settle <minutes>",
    "simulated, without trouble, after which all must be well",
    parseCount,
    20,
  )
  .option("--concurrency <n>", "sites that are updated at once", parseCount, 3)
  .option("--light", `as beyond ${wholeMax} sites`, false)
  .option("--quiet", "do not tell the story", false)
  .parse()
  .opts<Options>();
const began = performance.now();
const { violations, ...report } = await simulateFleet({
  seed: options.seed,
  sites: options.sites,
  minutes: options.minutes,
  settleMinutes: options.settle,
  maxConcurrency: options.concurrency,
  light: options.light || options.sites > wholeMax,
  ...(!options.quiet && { tell: (line: string) => console.log(line) }),
});
const seconds = ((performance.now() - began) / 1000).toFixed(1);
const memory = Math.round(process.memoryUsage().rss / 2 ** 20);
console.log(JSON.stringify(report));
for (const violation of violations) console.error(`VIOLATED  ${violation}`);
console.log(`seed ${options.seed}: ${violations.length} violations, ${seconds} s, ${memory} MiB`);
process.exit(violations.length > 0 ? 1 : 0);
