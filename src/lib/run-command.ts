// Runs one of the machine's own tools (nft, ip) to its end, with its input on stdin.
import { spawn } from "node:child_process";

/** Resolves with stdout; rejects with the command's own words when it fails or cannot be started. */
export function runCommand(
  command: string,
  args: string[],
  input = "",
  cwd?: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], cwd });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", (cause) => reject(new Error(`cannot run ${command}: ${cause.message}`)));
    child.on("close", (code) => {
      if (code === 0) resolve(stdout);
      else
        reject(new Error(`${command} ${args.join(" ")}: ${stderr.trim() || `exit code ${code}`}`));
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}
