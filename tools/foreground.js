// Runs a program in this one's place: it has the terminal, and it ends, by itself and in its own time, by whatever signal
// would have ended this one.
import { spawn } from "node:child_process";

/** Resolves with the exit code. */
export function inForeground(command, args, options = {}) {
  const child = spawn(command, args, { stdio: "inherit", ...options });
  // The terminal signals the whole group; a supervisor signals only the first of it.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}
