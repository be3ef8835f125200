import assert from "node:assert/strict";
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { hurried, startSearch } from "../../../test/support/handlers.ts";
import { Scope } from "../../lib/scope.ts";
import { DetailsError } from "../discovery/handler.ts";
import { bluetooth } from "./bluetooth.ts";

const environment = "0000181a-0000-1000-8000-00805f9b34fb";
const value = (type: string, data: unknown) => ({ type, data });

const device = (address: string, more: object = {}) => ({
  [`/org/bluez/hci0/dev_${address.replaceAll(":", "_")}`]: {
    "org.bluez.Device1": {
      Address: value("s", address),
      AddressType: value("s", "public"),
      ...more,
    },
  },
});

const thermometer = device("11:22:33:44:55:66", {
  Name: value("s", "Thermo\u001b[31m\n"),
  UUIDs: value("as", ["feed0000-0000-0000-0000-000000000000", environment]),
  ManufacturerData: value("a{qv}", { 1177: value("ay", [1, 2]), 76: value("ay", []) }),
  RSSI: value("n", -61),
});
const known = device("11:22:33:44:55:77", { Name: value("s", "Thermo"), Paired: value("b", true) });
const far = device("AA:22:33:44:55:77", { Name: value("s", "Thermo"), RSSI: value("n", -95) });
const adapter = { "/org/bluez/hci0": { "org.bluez.Adapter1": { Powered: value("b", true) } } };

let scope: Scope;
let sys: string;
let asked: string[];
beforeEach(() => {
  scope = new Scope();
  asked = [];
  sys = mkdtempSync(join(tmpdir(), "kerb-sys-"));
  mkdirSync(join(sys, "class/bluetooth/hci0"), { recursive: true });
  scope.defer(() => rmSync(sys, { recursive: true }));
});
afterEach(() => scope.close());

function world(objects: object, told = "Discovery started\n") {
  const run = (command: string, args: string[]) => {
    asked.push([command, ...args].join(" "));
    const printed = JSON.stringify({ type: "a{oa{sa{sv}}}", data: [objects] });
    return Promise.resolve(command === "busctl" ? printed : told);
  };
  const paths = { sys, udev: "", dev: "", root: "" };
  return { run, paths, clock: hurried };
}

const near = { ...adapter, ...thermometer, ...known, ...far };

test("what is heard is a device, with what it says of itself", async () => {
  const details = { services: { items: ["0x181A"] }, scanSeconds: 3 };
  const found = await startSearch(bluetooth, details, { scope, world: world(near) })();
  assert.deepEqual(found, [
    {
      id: "11:22:33:44:55:66",
      properties: {
        BLUETOOTH_ADDRESS: "11:22:33:44:55:66",
        BLUETOOTH_ADDRESS_TYPE: "public",
        BLUETOOTH_NAME: "Thermo[31m",
        BLUETOOTH_SERVICES: `${environment},feed0000-0000-0000-0000-000000000000`,
        BLUETOOTH_MANUFACTURERS: "0x004c,0x0499",
      },
      mounts: [],
      nodes: [],
    },
  ]);
  assert.equal(asked[1], "timeout 15 bluetoothctl --timeout 5 scan le");
});

test("what BlueZ only remembers, and what is too weak, is none", async () => {
  const details = { names: { items: ["thermo"] } };
  const all = await startSearch(bluetooth, details, { scope, world: world(near) })();
  assert.deepEqual(
    all.map(({ id }) => id),
    ["AA:22:33:44:55:77"],
  );
  const strong = { ...details, rssiMin: -90 };
  assert.deepEqual(await startSearch(bluetooth, strong, { scope, world: world(near) })(), []);
});

test("an adapter that does not listen is told as such", async () => {
  const told = "Failed to start discovery: org.bluez.Error.NotReady\n";
  const search = startSearch(
    bluetooth,
    { names: { items: [] } },
    { scope, world: world(near, told) },
  );
  await assert.rejects(search, /does not listen: org.bluez.Error.NotReady/);
});

test("a machine without an adapter finds nothing and starts nothing", async () => {
  rmSync(join(sys, "class"), { recursive: true });
  const details = { names: { items: ["thermo"] } };
  assert.deepEqual(await startSearch(bluetooth, details, { scope, world: world(near) })(), []);
  assert.deepEqual(asked, []);
});

const refused: [details: object, message: RegExp][] = [
  [{}, /expected names, services or both/],
  [{ names: { items: [] }, rssiMin: "near" }, /rssiMin: expected dBm/],
  [{ names: { items: [] }, scanSeconds: 100 }, /scanSeconds: expected 1 to 60/],
  [{ names: { items: [] }, mac: 1 }, /unknown field "mac"/],
];
for (const [details, message] of refused) {
  test(`${JSON.stringify(details)} is refused`, () => {
    assert.throws(
      () => bluetooth.check!(JSON.stringify(details)),
      (error: Error) => error instanceof DetailsError && message.test(error.message),
    );
  });
}
