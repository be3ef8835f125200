// `npm run conformance`: brings what the suite needs of Debian and kubectl, then runs it (test/conformance/run.ts).
import { fetchClients } from "./fetch-clients.js";
import { inForeground } from "./foreground.js";
import { modernNode, prepare, root } from "./prepare.js";

const args = ["test/conformance/run.ts", ...process.argv.slice(2)];
if (!args.includes("--help")) {
  prepare({ forTests: true, forSuite: true });
  fetchClients();
}
process.exit(await inForeground(modernNode(), args, { cwd: root }));
