// `npm run conformance`: brings what the suite needs of Debian and kubectl, then runs it (test/conformance/run.ts).
import { spawnSync } from "node:child_process";
import { fetchClients } from "./fetch-clients.js";
import { modernNode, prepare, root } from "./prepare.js";

prepare({ forTests: true, forSuite: true });
fetchClients();
const args = ["test/conformance/run.ts", ...process.argv.slice(2)];
process.exit(spawnSync(modernNode(), args, { cwd: root, stdio: "inherit" }).status ?? 1);
