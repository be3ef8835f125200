// How a running site gets another release: it stops, as for a restart, becomes the new one, and a watcher of the
// old release stands by. Containers do not notice.
import { spawn } from "node:child_process";
import { systemClock } from "../../lib/clock.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { Plugs } from "../../server/policy.ts";
import { readConfiguration } from "../configuration/state.ts";
import { ownRelease } from "./handover.ts";
import { readState, tryRelease, writeState } from "./state.ts";
import type { Release, ReleaseState } from "./state.ts";
import { openLogFile } from "../log-file.ts";

/** For an answer on its way. */
const answerMs = 500;

export const releasePath = "/kerb/release";
export const switchPath = "/kerb/release/switch";

/** What a site says of its releases. */
export interface ReleaseReport extends Pick<ReleaseState, "trying" | "failed"> {
  version: string;
}

export class ReleaseSwitch {
  readonly #directory: string;
  readonly #resolvers = Promise.withResolvers<Release>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Resolves when the site is to stop and become another release. */
  get requested(): Promise<Release> {
    return this.#resolvers.promise;
  }

  report(): ReleaseReport {
    const { trying, failed } = readState(this.#directory) ?? {};
    return { version: ownRelease.version, ...(trying && { trying }), ...(failed && { failed }) };
  }

  /** Soon after it returns the site stops. `release` is staged. */
  request(release: Release) {
    const state = readState(this.#directory);
    if (state?.trying || readConfiguration(this.#directory).trying) {
      throw new StatusError("Conflict", "the site tries another change; ask again when it is over");
    }
    const installed = state?.installed ?? ownRelease.version;
    writeState(this.#directory, tryRelease(state, release, installed));
    // Whoever asked hears the answer before the site stops.
    systemClock.after(answerMs, () => this.#resolvers.resolve(release));
  }
}

/** Stands by in a process of its own, in what runs now, until what is tried has proved itself. */
export function spawnWatcher(
  directory: string,
  args: string[],
  { isService, isConfiguration }: { isService: boolean; isConfiguration: boolean },
) {
  const log = openLogFile(directory);
  const program = process.argv[1]!;
  const watch = ["watch-release", "--data-dir", directory, "--pid", String(process.pid)];
  if (isConfiguration) watch.push("--configuration");
  if (isService) watch.push("--service");
  const child = spawn(process.execPath, [...process.execArgv, program, ...watch, "--", ...args], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  child.unref();
}

/** POST /kerb/release/switch?version=V becomes release V, which `kerb update` has staged. */
export function plugReleases(
  plugs: Plugs,
  {
    releases,
    staged,
  }: { releases: ReleaseSwitch; staged: (version: string) => Release | undefined },
) {
  plugs.paths.set(releasePath, async () => ({ code: 200, object: releases.report() }));
  plugs.paths.set(switchPath, async ({ method, query }) => {
    if (method !== "POST")
      throw new StatusError("MethodNotAllowed", "this path is asked with POST");
    const version = query.get("version") ?? "";
    const release = staged(version);
    if (!release) throw new StatusError("NotFound", `release ${version} is not staged here`);
    releases.request(release);
    return { code: 200, object: releases.report() };
  });
}
