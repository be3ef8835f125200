// A runtime whose containers of modules and VMs find somebody who looks at their bundles: he is started when a pod's
// sandbox is asked for, and is there before the sandbox is.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { runCommand } from "../lib/run-command.ts";
import type { Scope } from "../lib/scope.ts";
import type { Runtime } from "../node/runtime.ts";

/** Where the tools of a machine lie. */
const toolFolders = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface AheadOptions {
  /** Of the RuntimeClasses that mean these containers. */
  handlers: string[];
  /** The pipe by which bundles are named; not there while nobody waits. */
  ask: string;
  /** Arguments of Node by which the program starts that waits there. */
  program: string[];
  scope: Scope;
}

class Waiting {
  readonly #options: AheadOptions;
  #child: ChildProcess | undefined;
  #isStarting = false;

  constructor(options: AheadOptions) {
    this.#options = options;
    options.scope.defer(() => void this.#child?.kill());
  }

  /** Those who are not heard are not waited for: a container's start then does it by itself. */
  wake() {
    const { scope } = this.#options;
    if (this.#isStarting || this.#child || scope.closed) return;
    this.#isStarting = true;
    this.#start()
      .catch(() => {})
      .finally(() => (this.#isStarting = false));
  }

  async #start() {
    const { ask, program, scope } = this.#options;
    rmSync(ask, { force: true });
    await runCommand("mkfifo", ["-m", "600", ask]);
    if (scope.closed) return rmSync(ask, { force: true });
    const child = spawn(process.execPath, program, {
      env: { PATH: toolFolders },
      // It goes when its input ends.
      stdio: ["pipe", "ignore", "ignore"],
    });
    child.unref();
    const gone = () => {
      if (this.#child !== child) return;
      this.#child = undefined;
      rmSync(ask, { force: true });
    };
    this.#child = child;
    child.on("error", gone).on("exit", gone);
  }
}

export function preparingAhead<T extends Runtime>(runtime: T, options: AheadOptions): T {
  const waiting = new Waiting(options);
  const runSandbox = runtime.runSandbox.bind(runtime);
  const createContainer = runtime.createContainer.bind(runtime);
  const wakeFor = (handler: string) => options.handlers.includes(handler) && waiting.wake();
  runtime.runSandbox = (config) => {
    wakeFor(config.handler);
    return runSandbox(config);
  };
  runtime.createContainer = (id, config, sandbox) => {
    wakeFor(sandbox.handler);
    return createContainer(id, config, sandbox);
  };
  return runtime;
}
