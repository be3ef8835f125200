// The kernel leads a connection where its first packet was led, whatever the rules say since. Who sends datagrams from
// one port, or connects from a port that had no answer two minutes ago, would be led to an endpoint that is gone. So
// these flows end with their endpoint: the next packet, also one that is sent again, is led anew.
import { covers } from "../../lib/ip-range.ts";
import type { Ruleset } from "./ruleset.ts";

/** Words for `conntrack` that end flows of UDP to endpoints that are gone. Pure. */
export function endedFlows(now: Ruleset, was: Ruleset): string[][] {
  const family = familyWords(now);
  return [...was.flows]
    .filter((flow) => !now.flows.has(flow))
    .map((flow) => {
      const [address, port, backend] = flow.split(" ");
      const to = address ? ["--orig-dst", address] : [];
      return ["-D", ...family, "-p", "udp", ...to, "--orig-port-dst", port!, "--dst-nat", backend!];
    });
}

const familyWords = ({ family }: Ruleset) => (family === "IPv6" ? ["-f", "ipv6"] : []);

/** Words that list connections to which nobody answered; undefined when no endpoint is gone. Pure. */
export function unansweredList(now: Ruleset, was: Ruleset | undefined): string[] | undefined {
  const isGone = !was || [...was.hairpins].some((pair) => !now.hairpins.has(pair));
  return isGone ? ["-L", ...familyWords(now), "-p", "tcp", "--state", "SYN_SENT"] : undefined;
}

const unanswered =
  /src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) \[UNREPLIED\] src=(\S+) dst=\S+ sport=(\d+)/g;

/** Of that list, words that end those which are led to what is no endpoint any more. Pure. */
export function endedConnections(listed: string, now: Ruleset, clusterCidr: string): string[][] {
  const all = [...listed.matchAll(unanswered)].map(([, ...words]) => words as string[]);
  return all
    .filter(([, asked, , port, backend, backendPort]) => {
      const isLed = asked !== backend || port !== backendPort;
      return isLed && covers(clusterCidr, backend!) && !now.hairpins.has(`${backend} . ${backend}`);
    })
    .map(([source, asked, sourcePort, port]) => [
      ...["-D", ...familyWords(now), "-p", "tcp", "--orig-src", source!, "--orig-dst", asked!],
      ...["--sport", sourcePort!, "--dport", port!],
    ]);
}
