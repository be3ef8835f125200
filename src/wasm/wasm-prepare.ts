// Called before runc creates a container of the handler `wasm`, with the folder of its bundle and that of
// transpiled components; or started ahead with `--wait`, the pipe by which bundles are named, and that folder.
import { lookAtBundles } from "../lib/look-at-bundles.ts";
import { prepareBundle } from "./prepare-bundle.ts";

lookAtBundles(process.argv.slice(2), prepareBundle);
