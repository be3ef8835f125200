// One request of Kerb's own to a running site, outside its resources.
import { readFileSync } from "node:fs";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { join, resolve as absolute } from "node:path";
import { text } from "node:stream/consumers";
import { parseKubeconfig } from "../../client/kubeconfig.ts";
import type { Connection } from "../../client/kubeconfig.ts";
import { runningOn } from "../run-file.ts";

/** Resolves with the body as a stream; rejects with what the site says when it refuses. */
export async function askSite(
  { server, ca, cert, key }: Connection,
  method: string,
  path: string,
): Promise<IncomingMessage> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(new URL(path, server), { method, ca, cert, key }, resolve).on("error", reject).end();
  });
  if (answer.statusCode === 200) return answer;
  const said = await text(answer);
  let message = said;
  try {
    message = JSON.parse(said).message ?? said;
  } catch {
    // As it was said.
  }
  throw new Error(message);
}

/** Asks the site whose data lies in `directory`, as its administrator. */
export const askSiteIn = (directory: string, method: string, path: string) =>
  askSite(parseKubeconfig(readFileSync(join(directory, "kubeconfig"), "utf8")), method, path);

/** The same; throws what to do when it does not run. */
export async function askRunning(directory: string, method: string, path: string) {
  const folder = absolute(directory);
  runningOn(folder);
  return askSiteIn(folder, method, path);
}
