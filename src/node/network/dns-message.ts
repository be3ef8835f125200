// Answers as they go over the wire. A name that is not there says with its SOA how long that holds (RFC 2308);
// whoever speaks EDNS is answered in it (RFC 6891).
import packet from "dns-packet";
import type { DnsAnswer } from "./dns-zone.ts";

export type Query = ReturnType<typeof packet.decode>;

const bytesMin = 512;
const bytesMax = 4096;
/** Of answers over UDP that we send: what passes without fragments. */
const ownBytes = 1232;
const negativeSeconds = 5;

const authoritative = 0x0400;
const recursionAvailable = 0x0080;
const recursionDesired = 0x0100;
const truncated = 0x0200;
const codes = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3 } as const;

const ednsOf = (query: Query) =>
  query.additionals?.find((extra) => extra.type === "OPT") as
    | { udpPayloadSize?: number }
    | undefined;

const ednsAnswer = (query: Query): packet.Answer[] =>
  ednsOf(query)
    ? [
        {
          type: "OPT",
          name: ".",
          udpPayloadSize: ownBytes,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        } as packet.Answer,
      ]
    : [];

const soa = (domain: string): packet.Answer => ({
  type: "SOA",
  name: domain,
  ttl: negativeSeconds,
  data: {
    mname: `ns.dns.${domain}`,
    rname: `hostmaster.${domain}`,
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: negativeSeconds,
  },
});

/** An answer of the zone `domain`. */
export function reply(query: Query, answer: DnsAnswer, domain: string): Buffer {
  return packet.encode({
    type: "response",
    id: query.id ?? 0,
    flags: authoritative | recursionAvailable | recursionDesired | codes[answer.code],
    questions: query.questions ?? [],
    answers: answer.answers as packet.Answer[],
    ...(answer.answers.length === 0 && { authorities: [soa(domain)] }),
    additionals: [...(answer.additionals as packet.Answer[]), ...ednsAnswer(query)],
  });
}

const bare = (query: Query, flags: number) =>
  packet.encode({
    type: "response",
    id: query.id ?? 0,
    flags: recursionAvailable | recursionDesired | flags,
    questions: query.questions ?? [],
    additionals: ednsAnswer(query),
  });

export const failure = (query: Query) => bare(query, codes.SERVFAIL);

/** Cuts an answer that does not fit a datagram, so that the client asks again over TCP. */
export function fitDatagram(query: Query, response: Buffer): Buffer {
  const asked = ednsOf(query)?.udpPayloadSize ?? bytesMin;
  const limit = Math.min(Math.max(asked, bytesMin), bytesMax);
  return response.length <= limit ? response : bare(query, truncated);
}

export const isTruncated = (response: Buffer) => (response.readUInt16BE(2) & truncated) !== 0;
export const codeOf = (response: Buffer) => response.readUInt16BE(2) & 0xf;
export const isNotThere = (response: Buffer) => codeOf(response) === codes.NXDOMAIN;

/** How long another server's answer holds, in seconds; one that says no holds as its SOA says. */
export function secondsOf(response: Buffer): number {
  const { answers = [], authorities = [] } = packet.decode(response);
  if (answers.length > 0)
    return Math.min(...answers.map((one) => ("ttl" in one ? (one.ttl ?? 0) : 0)));
  const said = authorities.find((one) => one.type === "SOA") as
    | { ttl?: number; data: { minimum?: number } }
    | undefined;
  return said ? Math.min(said.ttl ?? 0, said.data.minimum ?? 0) : negativeSeconds;
}
