// One request of Kerb's own to a running site, outside its resources.
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type { Connection } from "../client/kubeconfig.ts";

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
