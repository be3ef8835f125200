// `npm start`: prepare, then `kerb up` in the foreground with whatever arguments were given.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { prepare, root } from "./prepare.js";

prepare();
const child = spawn(join(root, "bin/kerb"), ["up", ...process.argv.slice(2)], { stdio: "inherit" });
// The terminal signals the whole group; a supervisor signals only npm. Either way Kerb stops cleanly once.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
