// What ONVIF discovery does on the network: one Probe by multicast on each of the machine's networks, and SOAP
// questions by HTTP.
import type { Clock } from "../../lib/clock.ts";
import { askUdp } from "../udp.ts";
import { actionOf, ask, probe, probeMatches } from "./messages.ts";
import type { Credential, ProbeMatch, Question, Salt } from "./messages.ts";

export const probeGroup = "239.255.255.250";
export const probePort = 3702;
const answerMsMax = 1000;
const answerBytesMax = 512 * 1024;

export interface Prober {
  clock: Clock;
  uuid: string;
  waitMs: number;
  signal: AbortSignal;
  /** Default: WS-Discovery's multicast group. */
  to?: { host: string; port: number };
}

/** Everyone who answers within the time; what is no answer is passed over. */
export async function probeNetwork({ clock, uuid, waitMs, signal, to }: Prober) {
  const found: ProbeMatch[] = [];
  const group = { host: probeGroup, port: probePort };
  await askUdp({
    message: probe(uuid),
    to: [to ?? group],
    isGroup: to === undefined,
    answer: (bytes) => void found.push(...probeMatches(bytes.toString())),
    ...{ waitMs, clock, signal },
  });
  return found;
}

async function limited(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > answerBytesMax) throw new Error("the answer is too long");
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

/** The camera's answer; throws when there is none within a second. */
export async function askCamera(
  url: string,
  question: Question,
  { credential, salt, signal }: { credential?: Credential; salt?: Salt; signal: AbortSignal },
): Promise<string> {
  const response = await fetch(url, {
    method: "POST",
    body: ask(question, credential, salt),
    headers: {
      "content-type": `application/soap+xml; charset=utf-8; action="${actionOf(question)}"`,
    },
    redirect: "error",
    signal: AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${url} answers ${response.status}`);
  }
  return limited(response);
}
