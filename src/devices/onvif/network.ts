// What ONVIF discovery does on the network: one Probe by multicast on each of the machine's networks, and SOAP
// questions by HTTP. Cameras sign their certificates themselves, or an installer's authority does, and none names the
// address that a camera happens to have: so with an authority given its signature counts, and no name.
import { request as requestHttp } from "node:http";
import type { IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
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

async function limited(response: IncomingMessage): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response) {
    bytes += part.length;
    if (bytes > answerBytesMax) throw new Error("the answer is too long");
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

export interface Asking {
  credential?: Credential;
  salt?: Salt;
  /** PEM, of cameras by HTTPS; default: the authorities that Node knows. */
  authority?: string;
  signal: AbortSignal;
}

function post(url: string, headers: Record<string, string>, asking: Asking & { body: string }) {
  const { authority, signal, body } = asking;
  const trust =
    authority === undefined ? {} : { ca: authority, checkServerIdentity: () => undefined };
  const options = { method: "POST", headers, signal, agent: false };
  return new Promise<IncomingMessage>((resolve, reject) => {
    const asked = url.startsWith("https:")
      ? requestHttps(url, { ...options, ...trust })
      : requestHttp(url, options);
    asked.on("response", resolve).on("error", reject).end(body);
  });
}

/** The camera's answer; throws when there is none within a second. */
export async function askCamera(url: string, question: Question, asking: Asking): Promise<string> {
  const { credential, salt } = asking;
  const type = `application/soap+xml; charset=utf-8; action="${actionOf(question)}"`;
  const signal = AbortSignal.any([asking.signal, AbortSignal.timeout(answerMsMax)]);
  const body = ask(question, credential, salt);
  const response = await post(url, { "content-type": type }, { ...asking, signal, body });
  if (response.statusCode !== 200) {
    response.destroy();
    throw new Error(`${url} answers ${response.statusCode}`);
  }
  return limited(response);
}
