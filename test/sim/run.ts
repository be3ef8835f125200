// `npm run sim -- --seed N --sites N --minutes N [--settle N]`: replays one simulated fleet and tells what happened.
import { parseArgs } from "node:util";
import { simulateFleet } from "./fleet.ts";

/** More sites than this have no API servers of their own. */
const wholeMax = 200;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    sites: { type: "string", default: "100" },
    minutes: { type: "string", default: "60" },
    settle: { type: "string", default: "20" },
    concurrency: { type: "string", default: "3" },
    light: { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
  },
});
const began = performance.now();
const { violations, ...report } = await simulateFleet({
  seed: Number(values.seed),
  sites: Number(values.sites),
  minutes: Number(values.minutes),
  settleMinutes: Number(values.settle),
  maxConcurrency: Number(values.concurrency),
  light: values.light || Number(values.sites) > wholeMax,
  ...(!values.quiet && { tell: (line: string) => console.log(line) }),
});
const seconds = ((performance.now() - began) / 1000).toFixed(1);
const memory = Math.round(process.memoryUsage().rss / 2 ** 20);
console.log(JSON.stringify(report));
for (const violation of violations) console.error(`VIOLATED  ${violation}`);
console.log(`seed ${values.seed}: ${violations.length} violations, ${seconds} s, ${memory} MiB`);
process.exit(violations.length > 0 ? 1 : 0);
