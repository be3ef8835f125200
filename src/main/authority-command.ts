// `kerb authority`: asks the running site.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { json } from "node:stream/consumers";
import type { AuthorityReport } from "../cli/authority.ts";
import { parseKubeconfig } from "../client/kubeconfig.ts";
import { sleep, systemClock } from "../lib/clock.ts";
import { askSite } from "./ask-site.ts";
import { abandonPath, advancePath, authorityPath } from "./authority.ts";
import { findRunning } from "./run-file.ts";

async function ask(directory: string, method: string, path: string): Promise<AuthorityReport> {
  const folder = resolve(directory);
  if (!findRunning(folder)) {
    throw new Error(`no site runs on ${folder}; start it with: kerb up --data-dir ${folder}`);
  }
  const kubeconfig = parseKubeconfig(readFileSync(join(folder, "kubeconfig"), "utf8"));
  return (await json(await askSite(kubeconfig, method, path))) as AuthorityReport;
}

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
