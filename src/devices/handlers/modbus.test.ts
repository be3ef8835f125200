import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { startSearch } from "../../../test/support/handlers.ts";
import { Scope } from "../../lib/scope.ts";
import { ModbusClient, readValues, writeCoil, writeRegisters } from "../modbus/client.ts";
import { startFakeModbusDevice } from "../modbus/fake-device.ts";
import { modbus } from "./modbus.ts";

let scope: Scope;
beforeEach(() => void (scope = new Scope()));
afterEach(() => scope.close());

test("a unit that answers is a device with the names it gives itself", async () => {
  const { port } = await startFakeModbusDevice(scope);
  const addresses = [`127.0.0.1:${port}`, "127.0.0.1:1"];
  const found = await startSearch(modbus, { addresses, unitIds: [3] }, { scope })();
  assert.deepEqual(
    found.map(({ id }) => id),
    [`modbus://127.0.0.1:${port}/3`],
  );
  assert.deepEqual(found[0]?.properties, {
    MODBUS_ADDRESS: "127.0.0.1",
    MODBUS_PORT: String(port),
    MODBUS_UNIT: "3",
    MODBUS_VENDOR: "Kerb Works",
    MODBUS_PRODUCT: "Pump",
    MODBUS_REVISION: "1.2",
  });
});

test("registers and coils are read and written, and refusals are told", async () => {
  const { port, registers, coils } = await startFakeModbusDevice(scope);
  const client = await ModbusClient.open({ host: "127.0.0.1", port }, scope.signal);
  scope.defer(() => client.close());
  await writeRegisters(client, { unit: 1, address: 4, values: [7, 65_535] });
  assert.deepEqual([...registers.subarray(4, 6)], [7, 65_535]);
  const at = { unit: 1, table: "holding" as const, address: 4, count: 2 };
  assert.deepEqual(await readValues(client, at), [7, 65_535]);
  await writeCoil(client, { unit: 1, address: 2, isOn: true });
  assert.equal(coils[2], 1);
  await assert.rejects(readValues(client, { ...at, address: 5000 }), /there is no such address/);
});

test("who sends garbage is no device", async () => {
  const server = createServer((socket) => socket.write(Buffer.alloc(1000, 255)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.defer(() => void server.close());
  const addresses = [`127.0.0.1:${(server.address() as AddressInfo).port}`];
  assert.deepEqual(await startSearch(modbus, { addresses }, { scope })(), []);
});
