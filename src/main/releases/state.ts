// Which of several releases of Kerb runs a site: the one that was installed, or one that was staged beside it in
// DIR/releases. A release that is tried has two starts to prove itself; then the last good one runs again,
// whoever starts it. Pure, but for the file.
import { join } from "node:path";
import { readIfThere, replaceFile } from "../files.ts";

export interface Release {
  version: string;
  /** Its package: `dist` is in there. */
  root: string;
}

/** DIR/releases/state.json. */
export interface ReleaseState {
  format: 1;
  /** Version of the installation beside which releases were staged; another one forgets them. */
  installed: string;
  good?: Release;
  trying?: Release & { starts: number };
  /** The last that did not prove itself. */
  failed?: { version: string; message: string };
}

export const startsMax = 2;

export const releasesFolder = (directory: string) => join(directory, "releases");
const stateFile = (directory: string) => join(releasesFolder(directory), "state.json");

export function readState(directory: string): ReleaseState | undefined {
  const text = readIfThere(stateFile(directory));
  if (text === undefined) return undefined;
  const state = JSON.parse(text) as ReleaseState;
  return state.format === 1 ? state : undefined;
}

export const writeState = (directory: string, state: ReleaseState) =>
  replaceFile(stateFile(directory), `${JSON.stringify(state, null, 2)}\n`);

export interface Choice {
  /** Absent: whoever asks goes on itself. */
  run?: Release;
  /** To be written before that. */
  state?: ReleaseState;
}

const didNotStart = (version: string) => ({
  version,
  message: `release ${version} was started ${startsMax} times and was never ready`,
});

/** What `own` does when it is started on a site with `state`. Pure. */
export function chooseRelease(state: ReleaseState | undefined, own: Release): Choice {
  if (!state) return {};
  const { trying, good } = state;
  const isStaged = [trying, good].some((one) => one?.root === own.root);
  if (!isStaged && state.installed !== own.version) return {};
  if (trying) {
    if (trying.root === own.root) return {};
    const { trying: _, ...others } = state;
    if (trying.starts >= startsMax) {
      const failed = { ...others, failed: didNotStart(trying.version) };
      const run = good && good.root !== own.root ? { run: good } : {};
      return { ...run, state: failed };
    }
    const { version, root, starts } = trying;
    return {
      run: { version, root },
      state: { ...state, trying: { ...trying, starts: starts + 1 } },
    };
  }
  return good && good.root !== own.root ? { run: good } : {};
}

/** `release` is to be tried; its first start is counted. Pure. */
export function tryRelease(
  state: ReleaseState | undefined,
  release: Release,
  installed: string,
): ReleaseState {
  const { failed: _, ...others } = state ?? { format: 1 as const, installed };
  return { ...others, trying: { ...release, starts: 1 } };
}

/** The release that is tried has proved itself, when it is `own`. Pure. */
export function proveRelease(state: ReleaseState | undefined, own: Release) {
  if (state?.trying?.root !== own.root) return undefined;
  const { trying: _, failed: __, ...others } = state;
  return { ...others, good: own };
}

/** The release that is tried is given up. Pure. */
export function giveUp(state: ReleaseState, message: string): ReleaseState {
  const { trying, ...others } = state;
  return trying ? { ...others, failed: { version: trying.version, message } } : state;
}
