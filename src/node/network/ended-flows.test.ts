import assert from "node:assert/strict";
import { test } from "node:test";
import { endedConnections, unansweredList } from "./ended-flows.ts";
import { emptyRuleset } from "./ruleset.ts";

const cluster = "10.100.0.0/16";

function leadsTo(...addresses: string[]) {
  const ruleset = emptyRuleset("IPv4");
  for (const address of addresses) ruleset.hairpins.add(`${address} . ${address}`);
  return ruleset;
}

/** As conntrack prints it. */
const waiting = (asked: string, backend: string) =>
  `tcp      6 117 SYN_SENT src=10.100.0.5 dst=${asked} sport=60874 dport=80 [UNREPLIED] ` +
  `src=${backend} dst=10.100.0.5 sport=8080 dport=60874 mark=0 use=1\n`;

const cases = [
  {
    what: "one that waits for an endpoint that is gone ends, so that it is led anew when it is sent again",
    listed: waiting("10.150.1.1", "10.100.2.4"),
    ended: ["-D -p tcp --orig-src 10.100.0.5 --orig-dst 10.150.1.1 --sport 60874 --dport 80"],
  },
  {
    what: "one that waits for an endpoint that is there goes on",
    listed: waiting("10.150.1.1", "10.100.0.3"),
    ended: [],
  },
  {
    what: "one to a pod by its own address goes on",
    listed: waiting("10.100.2.4", "10.100.2.4").replace("dport=80 ", "dport=8080 "),
    ended: [],
  },
  {
    what: "another cluster's goes on",
    listed: waiting("10.151.1.1", "10.101.2.4"),
    ended: [],
  },
  { what: "nothing ends where the tool is not installed", listed: "", ended: [] },
];

for (const { what, listed, ended } of cases) {
  test(`of connections that nobody answered, ${what}`, () => {
    const words = endedConnections(listed, leadsTo("10.100.0.3"), cluster);
    assert.deepEqual(
      words.map((each) => each.join(" ")),
      ended,
    );
  });
}

test("they are looked at when an endpoint goes, and at the start, and not when one comes", () => {
  const [one, two] = [leadsTo("10.100.0.3"), leadsTo("10.100.0.3", "10.100.2.4")];
  assert.equal(unansweredList(one, two)?.join(" "), "-L -p tcp --state SYN_SENT");
  assert.ok(unansweredList(one, undefined));
  assert.equal(unansweredList(two, one), undefined);
});
