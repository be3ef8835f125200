// What ONVIF discovery does on the network: one Probe by multicast on each of the machine's networks, and SOAP
// questions by HTTP. Cameras sign their certificates themselves, or an installer's authority does, and none names the
// address that a camera happens to have: so with an authority given its signature counts, and no name.
import type { Clock } from "../../lib/clock.ts";
import { askHttp } from "../http/ask.ts";
import type { Trust } from "../network/trust.ts";
import { askUdp } from "../network/udp.ts";
import { actionOf, ask, probe, probeMatches } from "./messages.ts";
import type { Credential, ProbeMatch, Question, Salt } from "./messages.ts";

export const probeGroup = "239.255.255.250";
export const probePort = 3702;
const answerMsMax = 1000;
/** Of one datagram, which is one camera's; and of all. */
const matchesOfOneMax = 16;
const matchesMax = 8192;

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
    answer: (bytes) => {
      const room = Math.min(matchesOfOneMax, matchesMax - found.length);
      found.push(...probeMatches(bytes.toString()).slice(0, room));
    },
    ...{ waitMs, clock, signal },
  });
  return found;
}

export interface Asking {
  credential?: Credential;
  salt?: Salt;
  /** Of cameras by HTTPS; default: the authorities that Node knows. */
  trust?: Trust | undefined;
  signal: AbortSignal;
}

/** The camera's answer; throws when there is none within a second. */
export async function askCamera(url: string, question: Question, asking: Asking): Promise<string> {
  const { credential, salt, trust } = asking;
  const type = `application/soap+xml; charset=utf-8; action="${actionOf(question)}"`;
  const signal = AbortSignal.any([asking.signal, AbortSignal.timeout(answerMsMax)]);
  const { status, body } = await askHttp(url, {
    method: "POST",
    headers: { "content-type": type },
    body: ask(question, credential, salt),
    trust: trust && { ...trust, checkServerIdentity: () => undefined },
    signal,
  });
  if (status !== 200) throw new Error(`${url} answers ${status}`);
  return body.toString();
}
