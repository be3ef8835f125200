// Runs a command line with the Node that Kerb needs, whichever Node npm itself runs on.
import { spawnSync } from "node:child_process";
import { modernNode, root } from "./prepare.js";

const { status } = spawnSync(modernNode(), process.argv.slice(2), { cwd: root, stdio: "inherit" });
process.exit(status ?? 1);
