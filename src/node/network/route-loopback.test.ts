import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceTowards } from "./route-loopback.ts";

test("a pod's own route is found before wider ones", () => {
  const routes = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
wide0	0000640A	00000000	0001	0	0	0	0000FFFF	0	0	0
veth1	1100640A	00000000	0005	0	0	0	FFFFFFFF	0	0	0
`;
  const rows: [string, string | undefined][] = [
    ["10.100.0.17", "veth1"],
    ["10.100.0.18", "wide0"],
    ["200.0.0.1", "eth0"],
  ];
  for (const [address, device] of rows) assert.equal(deviceTowards(routes, address), device);
  assert.equal(deviceTowards("Iface\n", "10.0.0.1"), undefined);
});
