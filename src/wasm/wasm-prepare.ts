// Called before runc creates a container of the handler `wasm`, with the folder of its bundle and that of
// transpiled components; or started ahead with `--wait`, the pipe by which bundles are named, and that folder.
import { systemClock } from "../lib/clock.ts";
import { prepareBundle } from "./prepare-bundle.ts";
import { waitForBundles } from "../lib/wait-for-bundles.ts";

async function once(bundle: string, cache: string) {
  const problem = await prepareBundle(bundle, cache);
  if (problem === "") return;
  process.stderr.write(problem);
  process.exit(1);
}

const [first = "", ...rest] = process.argv.slice(2);
if (first === "--wait") {
  const [ask = "", cache = ""] = rest;
  const look = (bundle: string) => prepareBundle(bundle, cache);
  waitForBundles(ask, { look, clock: systemClock });
} else void once(first, rest[0] ?? "");
