// `npm run bench [-- NAME ...]`: the figures of Kerb on this machine, as ratios to a baseline measured in the
// same run where there is one.
import { Argument } from "commander";
import { runner } from "../test/support/runner.ts";
import { benches } from "./benches.ts";
import { withoutMoreCertificates } from "./memory.ts";
import { printHeader, printRow } from "./row.ts";

const width = Math.max(...Object.keys(benches).map((name) => name.length));
const list = Object.entries(benches)
  .map(([name, { measures, takes }]) => `  ${name.padEnd(width)}  ${measures}; ${takes}`)
  .join("\n");

const program = runner(
  "bench",
  "Measures Kerb on this machine, each figure beside a baseline of the same run where there is one: " +
    "the ratio is what counts. Without a name all benches run, one after the other. As root.",
  {
    "writes list": "two of them",
    "--tiny": "each with little work, to see that it still works",
  },
)
  .addArgument(new Argument("[bench...]", "which ones").choices(Object.keys(benches)))
  .option("--tiny", "little work: figures mean nothing")
  .addHelpText("after", `\nBenches, and about how long each takes on two cores:\n${list}`)
  .parse();

const unnamed = Object.keys(benches).filter((name) => !benches[name]!.onlyNamed);
const wanted = program.args.length > 0 ? program.args : unnamed;
const { tiny = false } = program.opts<{ tiny?: boolean }>();
withoutMoreCertificates();
printHeader();
for (const [name, { run, takes }] of Object.entries(benches)) {
  if (!wanted.includes(name)) continue;
  console.error(`measuring ${name}${tiny ? "" : `, about ${takes}`} ...`);
  for await (const row of run(tiny)) printRow(row);
}
