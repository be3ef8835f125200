// Runs a program to its end and keeps what it said. Tests use the programs users use.
import { spawn } from "node:child_process";

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Longer than what commands are told to wait for at most. */
const timeoutMsDefault = 180_000;

export interface CommandOptions {
  input?: string;
  env?: Record<string, string>;
  cwd?: string;
  timeoutMs?: number;
}

/** Resolves whatever the exit code; rejects only when the program cannot be started or takes too long. */
export function runToEnd(command: string, args: string[], options: CommandOptions = {}) {
  return new Promise<Outcome>((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const timeoutMs = options.timeoutMs ?? timeoutMsDefault;
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(
        new Error(`${command} ${args.join(" ")} took over ${timeoutMs} ms\n${stdout}${stderr}`),
      );
    }, timeoutMs);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 1, stdout, stderr });
    });
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}

/** Like `runToEnd`, but a failure is an error with all that was said. Resolves with stdout. */
export async function run(command: string, args: string[], options: CommandOptions = {}) {
  const { code, stdout, stderr } = await runToEnd(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit ${code}\n${stdout}${stderr}`);
  return stdout;
}
