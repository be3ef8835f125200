// `npm start`: prepare, then `kerb up` in the foreground with whatever arguments were given.
import { join } from "node:path";
import { inForeground } from "./foreground.js";
import { prepare, root } from "./prepare.js";

prepare();
process.exit(await inForeground(join(root, "bin/kerb"), ["up", ...process.argv.slice(2)]));
