// `kerb authority`: asks the running site.
import { json } from "node:stream/consumers";
import type { AuthorityReport } from "../../cli/authority.ts";
import { sleep, systemClock } from "../../lib/clock.ts";
import { askRunning } from "./ask-site.ts";
import { abandonPath, advancePath, authorityPath } from "../site/authority.ts";

/** The site may run an older release than this command, which did not say whom it waits for. Pure. */
export const reportOf = (answer: unknown): AuthorityReport => ({
  waitsFor: [],
  ...(answer as Omit<AuthorityReport, "waitsFor">),
});

const ask = async (directory: string, method: string, path: string) =>
  reportOf(await json(await askRunning(directory, method, path)));

export const authorityState = (directory: string) => ask(directory, "GET", authorityPath);
export const advanceAuthority = (directory: string) => ask(directory, "POST", advancePath);
export const abandonAuthority = (directory: string) => ask(directory, "POST", abandonPath);

const askedIn = (directory: string) => ({
  state: () => authorityState(directory),
  advance: () => advanceAuthority(directory),
});

const lookMs = 5000;

/**
 * All phases from where it stands, with a rest after each. What it waits for is told anew when it is another; whoever ends
 * it leaves the site in its phase, from which it goes on when asked again.
 */
export async function* rotateAuthority(
  directory: string,
  restSeconds: number,
  { clock = systemClock, authority = askedIn(directory) } = {},
): AsyncGenerator<AuthorityReport> {
  for (;;) {
    let told = "";
    for (;;) {
      const state = await authority.state();
      if (state.waitsFor.length === 0) break;
      const names = JSON.stringify(state.waitsFor.map(({ name }) => name));
      if (names !== told) yield state;
      told = names;
      await sleep(clock, lookMs);
    }
    const report = await authority.advance();
    yield report;
    if (report.phase === "Settled") return;
    await sleep(clock, restSeconds * 1000);
  }
}
