// `kerb up`, in the foreground or detached. Detached, it starts itself again in a session of its own and
// repeats what that one says until the site is Ready.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { UpOptions } from "../../cli/up.ts";
import { sleep, systemClock } from "../../lib/clock.ts";
import { parseKubeconfig } from "../../client/kubeconfig.ts";
import { askSite } from "./ask-site.ts";
import { hasManager, kerbVersion, kubernetesVersion, logLevel } from "../config.ts";
import { logFile, openLogFile } from "../log-file.ts";
import { outputLog } from "../pino-log.ts";
import { bothLogs, spokenLog } from "../spoken-log.ts";
import { parseOptions } from "../configuration/parse.ts";
import {
  chooseOptions,
  proveChange,
  readConfiguration,
  writeConfiguration,
} from "../configuration/state.ts";
import { ConfigurationSwitch } from "../configuration/switch.ts";
import { forbidCoreDumps } from "../memory/core-dumps.ts";
import { become, becomeAnew, handOver, ownRelease } from "../releases/handover.ts";
import { proveRelease, readState, writeState } from "../releases/state.ts";
import { ReleaseSwitch, spawnWatcher } from "../releases/switch.ts";
import { ownDirectory } from "../files.ts";
import { leftAsFound } from "../node/leave-machine.ts";
import { nodeSettingsOf } from "../node/node-settings.ts";
import { findRunning } from "../run-file.ts";
import { startSite } from "../site/site.ts";
import type { Site } from "../site/site.ts";
import { forgetDebt, noteDebt, payDebt } from "../site/trial.ts";

/** What a detached site tells the command that started it. */
type Message = { line: string } | { ready: true } | { failed: string };

const stopMsMax = 10_000;
const askAgainMs = 1000;
/** Who waits for a site in the background waits as long as it goes on. */
const silentMsMax = 120_000;

export async function up(asked: UpOptions): Promise<number> {
  const options = { ...asked, dataDir: resolve(asked.dataDir) };
  ownDirectory(options.dataDir);
  nodeSettingsOf(options);
  handOver(options.dataDir, process.argv.slice(2));
  const running = findRunning(options.dataDir);
  if (running) {
    throw new Error(
      `a site already runs on ${options.dataDir} (pid ${running.pid}, port ${running.port}); ` +
        `stop it with: kerb down --data-dir ${options.dataDir}`,
    );
  }
  return options.detach ? detach(options) : foreground(options);
}

/** What was configured lies below what the command line says. */
function withConfigured(asked: UpOptions): UpOptions {
  const { options, state } = chooseOptions(readConfiguration(asked.dataDir));
  if (state) writeConfiguration(asked.dataDir, state);
  return { ...parseOptions(options), ...asked };
}

async function foreground(asked: UpOptions): Promise<number> {
  void forbidCoreDumps();
  const options = withConfigured(asked);
  const tell = (message: Message) => {
    // Whoever started it may have gone; a site does not end for that.
    if (process.send && process.connected) process.send(message, () => {});
    else if (!process.send && "line" in message) console.log(message.line);
  };
  const sinceStart = () => Math.round(process.uptime() * 1000);
  tell({
    line: `Kerb ${kerbVersion} (Kubernetes ${kubernetesVersion}), data in ${options.dataDir}`,
  });
  const switches = {
    releases: new ReleaseSwitch(options.dataDir),
    configuration: new ConfigurationSwitch(options.dataDir, asked),
  };
  const isService = hasManager && !process.send;
  let site: Site;
  try {
    const log = outputLog(logLevel);
    const toldToo = spokenLog("warn", (line) => tell({ line: `  ${line}` }));
    const start = {
      log: process.send ? bothLogs(log, toldToo) : log,
      switches,
      progress: (what: string, detail: string) =>
        tell({ line: `  ${what.padEnd(12)} ${String(sinceStart()).padStart(6)} ms  ${detail}` }),
    };
    site = await leftAsFound(options.dataDir, () => startSite(options, start));
  } catch (error) {
    if (!process.send) throw error;
    tell({ failed: (error as Error).message });
    return 1;
  }
  for (const line of site.shortcomings) tell({ line: `  ! ${line}` });
  tell({ line: `Site ${site.name} is ${site.state} in ${sinceStart()} ms.` });
  tell({ line: `  kubeconfig  ${site.kubeconfig}` });
  const shown = options.node === false ? "namespaces" : "nodes";
  tell({ line: `  try         kubectl --kubeconfig ${site.kubeconfig} get ${shown}` });
  tell({ ready: true });
  if (process.connected) process.disconnect?.();
  // A site that still owes something can be stopped, by whoever watches the trial.
  const proving = proved(options.dataDir, site);
  proving.catch((error: Error) => console.log(`what is tried is not proved: ${error.message}`));
  const args = process.argv.slice(2).filter((one) => one !== "--detach");
  const { releases, configuration } = switches;
  const next = await Promise.race([untilStopped(), releases.requested, configuration.requested]);
  if (!next) {
    await site.stop();
    return 0;
  }
  const isConfiguration = next === "configuration";
  await noteDebt(options.dataDir, site).catch((error: Error) =>
    console.log(`what the site has is not noted: ${error.message}`),
  );
  spawnWatcher(options.dataDir, args, { isService, isConfiguration });
  // What does not end in time ends with the code that runs it; all that is acknowledged is on disk.
  const stopped = site.stop().then(() => true);
  const isStopped = await Promise.race([stopped, sleep(systemClock, stopMsMax)]);
  if (!isStopped) console.log(`the site was not stopped after ${stopMsMax} ms`);
  return next === "configuration" ? becomeAnew(args) : become(next, args);
}

/** What is tried has done what is asked of it: the API server says so, and all that ran before runs. */
async function proved(directory: string, site: Site) {
  const isTried = () => ({
    state: proveRelease(readState(directory), ownRelease),
    configuration: proveChange(readConfiguration(directory)),
  });
  const before = isTried();
  if (!before.state && !before.configuration) return forgetDebt(directory);
  await untilReadyz(site);
  await payDebt(directory, site, systemClock);
  const { state, configuration } = isTried();
  if (state) writeState(directory, state);
  if (configuration) writeConfiguration(directory, configuration);
}

/** Whoever watches the trial has set its end. */
async function untilReadyz({ kubeconfig }: Site) {
  const connection = parseKubeconfig(readFileSync(kubeconfig, "utf8"));
  for (let failures = 1; ; failures++) {
    try {
      return (await askSite(connection, "GET", "/readyz")).resume();
    } catch (error) {
      if (failures % 10 === 1) console.log(`the site is not ready: ${(error as Error).message}`);
      await sleep(systemClock, askAgainMs);
    }
  }
}

async function untilStopped(): Promise<undefined> {
  const signal = await new Promise<string>((resolve) => {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.once(name, () => resolve(name));
  });
  if (signal === "SIGINT") {
    console.log(`\nStopping Kerb; containers keep running (kerb down stops them too).`);
  }
}

/** Starts the same command in the background; resolves once the site is Ready. */
function detach(options: UpOptions): Promise<number> {
  const file = logFile(options.dataDir);
  const output = openLogFile(options.dataDir);
  const args = process.argv.slice(1).filter((one) => one !== "--detach");
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    detached: true,
    stdio: ["ignore", output, output, "ipc"],
  });
  return new Promise((resolve, reject) => {
    const silence = () =>
      reject(
        new Error(
          `the site is not Ready, and has said nothing for ${silentMsMax / 1000} s; it goes on in the ` +
            `background: see ${file} and kerb status, or stop it with kerb down`,
        ),
      );
    let giveUp = systemClock.after(silentMsMax, silence);
    child.on("message", (message: Message) => {
      giveUp();
      if ("line" in message) {
        giveUp = systemClock.after(silentMsMax, silence);
        return console.log(message.line);
      }
      if ("failed" in message) return reject(new Error(message.failed));
      child.disconnect();
      child.unref();
      resolve(0);
    });
    child.on("exit", (code) => reject(new Error(`the site ended (exit ${code}); see ${file}`)));
  });
}
