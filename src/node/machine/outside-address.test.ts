import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLink, defaultLink6 } from "./outside-address.ts";

const head =
  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const row = (link: string, destination: string, metric: number, mask = destination) =>
  `${link}\t${destination}\t010200C0\t0003\t0\t0\t${metric}\t${mask}\t0\t0\t0\n`;

test("the default route with the lowest metric leads outside", () => {
  const lan = row("eth0", "0002A8C0", 0, "00FFFFFF");
  assert.equal(defaultLink(head + lan), undefined);
  const [wifi, cable] = [row("wlan0", "00000000", 600), row("eth0", "00000000", 100)];
  assert.equal(defaultLink(head + lan + wifi + cable), "eth0");
});

test("the default route of IPv6 is found the same way, and none of those that refuse", () => {
  const zero = "0".repeat(32);
  const via = `fe80${"0".repeat(27)}1`;
  const line = (to: string, bits: string, metric: string, link: string) =>
    `${to} ${bits} ${zero} 00 ${via} ${metric} 00000001 00000000 00000003 ${link.padStart(8)}\n`;
  const lan = line(`fd00${"0".repeat(28)}`, "40", "00000100", "eth0");
  const refusing = line(zero, "00", "ffffffff", "lo");
  assert.equal(defaultLink6(lan + refusing), undefined);
  const both = line(zero, "00", "00000258", "wlan0") + line(zero, "00", "00000064", "eth0");
  assert.equal(defaultLink6(lan + refusing + both), "eth0");
});
