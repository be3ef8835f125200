import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { hurried, startSearch } from "../../../test/support/handlers.ts";
import { Scope } from "../../lib/scope.ts";
import { startFakeSnmpAgent } from "../snmp/fake-agent.ts";
import { elements, valuesIn } from "../snmp/messages.ts";
import { snmp } from "./snmp.ts";

let scope: Scope;
beforeEach(() => void (scope = new Scope()));
afterEach(() => scope.close());

const look = (port: number, details: object, properties: Record<string, string>) =>
  startSearch(
    snmp,
    { addresses: [`127.0.0.1:${port}`], ...details },
    { scope, properties, world: { clock: hurried } },
  )();

test("an agent is a device for who knows its community, and nobody's otherwise", async () => {
  const port = await startFakeSnmpAgent("secret", scope);
  const [found] = await look(port, {}, { community: "secret" });
  assert.deepEqual(found?.properties, {
    SNMP_ADDRESS: "127.0.0.1",
    SNMP_PORT: String(port),
    SNMP_DESCRIPTION: "A switch",
    SNMP_OBJECT_ID: "1.3.6.1.4.1.9",
    SNMP_NAME: "switch-1",
  });
  assert.deepEqual(await look(port, {}, {}), []);
});

test("version 3 is refused by name", async () => {
  await assert.rejects(look(1, { version: "3" }, {}), /discoveryDetails.version: "3" is not known/);
});

test("broken messages are none", () => {
  const broken = ["30", "3084", "30ff", "3003020101", "300202", "0502"];
  for (const hex of broken) assert.throws(() => valuesIn(Buffer.from(hex, "hex"), 1), hex);
  assert.throws(() => elements(Buffer.from("0485ffffffffff", "hex")));
});
