// `kerb authority`: asks the running site.
import { json } from "node:stream/consumers";
import type { AuthorityReport } from "../cli/authority.ts";
import { sleep, systemClock } from "../lib/clock.ts";
import { askRunning } from "./ask-site.ts";
import { abandonPath, advancePath, authorityPath } from "./authority.ts";

const ask = async (directory: string, method: string, path: string) =>
  (await json(await askRunning(directory, method, path))) as AuthorityReport;

export const authorityState = (directory: string) => ask(directory, "GET", authorityPath);
export const advanceAuthority = (directory: string) => ask(directory, "POST", advancePath);
export const abandonAuthority = (directory: string) => ask(directory, "POST", abandonPath);

/** All phases from where it stands, with a rest after each. */
export async function* rotateAuthority(
  directory: string,
  restSeconds: number,
): AsyncGenerator<AuthorityReport> {
  for (;;) {
    const report = await advanceAuthority(directory);
    yield report;
    if (report.phase === "Settled") return;
    await sleep(systemClock, restSeconds * 1000);
  }
}
