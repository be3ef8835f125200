import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLink } from "./outside-address.ts";

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
