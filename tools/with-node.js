// Runs a command line with the Node that Kerb needs, whichever Node npm itself runs on.
import { inForeground } from "./foreground.js";
import { modernNode, root } from "./prepare.js";

process.exit(await inForeground(modernNode(), process.argv.slice(2), { cwd: root }));
