import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { handlerWorld, hurried } from "../../../test/support/handlers.ts";
import { rsaCertificate } from "../../../test/support/rsa-certificate.ts";
import { Scope } from "../../lib/scope.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device } from "../discovery/handler.ts";
import { onvif } from "../handlers/onvif.ts";
import { credentials } from "./credentials.ts";
import { startFakeCamera } from "./fake-camera.ts";
import type { FakeCameraOptions } from "./fake-camera.ts";
import { cameraAddress } from "./messages.ts";
import { parseXml, XmlError } from "./xml.ts";

let scope: Scope;
beforeEach(() => void (scope = new Scope()));
afterEach(() => scope.close());

const uuid = "5f5a69c2-e0ae-504f-829b-00fcdab169cc";

async function look(
  camera: Partial<FakeCameraOptions>,
  details = "",
  properties: Record<string, string> = {},
): Promise<{ url: string; devices: Device[] }> {
  const { url, port } = await startFakeCamera({ uuid, scope, ...camera });
  const world = handlerWorld({ clock: hurried, probeTo: { host: "127.0.0.1", port } });
  const stop = new AbortController();
  scope.defer(() => stop.abort());
  const given = Object.entries(properties).map(
    ([name, value]) => [name, Buffer.from(value)] as const,
  );
  const request = { details, properties: new Map(given), signal: stop.signal };
  const { value } = await onvif.discover(request, world)[Symbol.asyncIterator]().next();
  return { url, devices: value };
}

test("a camera is found with its address, its id made of service and uuid", async () => {
  const { url, devices } = await look({});
  assert.deepEqual(devices, [
    {
      id: `${url}-${uuid}`,
      properties: {
        ONVIF_DEVICE_SERVICE_URL: url,
        ONVIF_DEVICE_UUID: uuid,
        ONVIF_DEVICE_IP_ADDRESS: "10.1.2.3",
        ONVIF_DEVICE_MAC_ADDRESS: "aa:bb:cc:dd:ee:ff",
      },
      mounts: [],
      nodes: [],
    },
  ]);
});

const scopes = ["onvif://www.onvif.org/name/A", "onvif://www.onvif.org/type/ptz"];
const filters: [when: string, details: string, found: number][] = [
  ["its scope is wanted", `scopes: {items: [${scopes[0]}]}`, 1],
  ["another scope is wanted", "scopes: {action: Include, items: [onvif://x]}", 0],
  ["its scope is wanted in capitals", `scopes: {items: [${scopes[0]!.toUpperCase()}]}`, 0],
  ["its scope is not wanted", `scopes: {action: Exclude, items: [${scopes[1]}]}`, 0],
  ["its address is not wanted", "ipAddresses: {action: Exclude, items: [10.1.2.3]}", 0],
  ["its address is wanted in capitals", "macAddresses: {items: [AA:BB:CC:DD:EE:FF]}", 1],
  ["another uuid is not wanted", "uuids: {action: Exclude, items: [abc]}", 1],
];
for (const [when, details, found] of filters) {
  test(`when ${when}, ${found === 1 ? "it is found" : "it is left out"}`, async () => {
    assert.equal((await look({ scopes }, details)).devices.length, found);
  });
}

test("a camera with a password tells its address to who has it, and is found by others without", async () => {
  const credential = { username: "admin", password: 'a"<b' };
  const [open] = (await look({ credential })).devices;
  assert.equal(open?.properties["ONVIF_DEVICE_IP_ADDRESS"], undefined);
  const known = { username_default: "admin", password_default: 'a"<b' };
  const [asked] = (await look({ credential }, "", known)).devices;
  assert.equal(asked?.properties["ONVIF_DEVICE_IP_ADDRESS"], "10.1.2.3");
  const filtered = await look({ credential }, "ipAddresses: {action: Exclude, items: [9.9.9.9]}");
  assert.deepEqual(filtered.devices, []);
});

test("a camera with a certificate of its own is found by who trusts it, and by nobody else", async () => {
  const made = (uri: string) => rsaCertificate({ uri, nowMs: Date.now() });
  const [own, other] = [made("urn:camera"), made("urn:other")];
  const identity = { key: own.privateKey, cert: own.certificate };
  const credential = { username: "admin", password: "p" };
  const login = { username_default: "admin", password_default: "p" };
  const trusting = { ...login, certificateAuthority: own.certificate };
  const { url, devices } = await look({ identity, credential }, "", trusting);
  assert.match(url, /^https:/);
  assert.equal(devices[0]?.properties["ONVIF_DEVICE_IP_ADDRESS"], "10.1.2.3");
  assert.deepEqual((await look({ identity })).devices, []);
  const wrong = { certificateAuthority: other.certificate };
  assert.deepEqual((await look({ identity }, "", wrong)).devices, []);
});

test("credentials come from lists, references and single properties, the later kind winning", () => {
  const values = {
    device_credential_list: '["maps"]',
    maps: '{"a-1":{"username":"u","password":"cA==","base64encoded":true},"b":{"username":1}}',
    device_credential_ref_list: '["refs","none"]',
    refs: '{"c":{"username_ref":"name","password_ref":"word"}}',
    name: "n",
    word: "w",
    username_c_2: "x",
    password_c_2: "y",
  };
  const of = credentials(new Map(Object.entries(values).map(([k, v]) => [k, Buffer.from(v)])));
  assert.deepEqual(of("A-1"), { username: "u", password: "p" });
  assert.deepEqual(of("c"), { username: "n", password: "w" });
  assert.deepEqual(of("c-2"), { username: "x", password: "y" });
  assert.equal(of("b"), undefined);
});

test("XML bombs, broken XML and endless depth are refused", async () => {
  const bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>';
  for (const text of [bomb, "<x>&b;</x>", "<x>", "", "<x>".repeat(1000), "a".repeat(600_000)]) {
    assert.throws(() => parseXml(text), XmlError);
  }
  assert.deepEqual((await look({ probeAnswer: bomb })).devices, []);
});

test("a camera's address is its address however it came by it", () => {
  for (const way of ["Manual", "LinkLocal", "FromDHCP"]) {
    const config = `<Config><${way}><Address>169.254.1.2</Address></${way}><DHCP>false</DHCP></Config>`;
    const face = `<Info><HwAddress>aa:bb</HwAddress></Info><IPv4>${config}</IPv4>`;
    const said = cameraAddress(`<R><NetworkInterfaces>${face}</NetworkInterfaces></R>`);
    assert.deepEqual(said, { ip: "169.254.1.2", mac: "aa:bb" });
  }
});

test("details are checked", async () => {
  await assert.rejects(look({}, "discoveryTimeoutSeconds: -1"), DetailsError);
  await assert.rejects(look({}, "scopes: {action: Maybe}"), DetailsError);
  await assert.rejects(look({}, "scopes: {action: Exclude}"), /scopes: expected action .*, items/);
  await assert.rejects(look({}, "scopes: {item: [a]}"), /scopes: unknown field "item"/);
  await assert.rejects(look({}, "colour: red"), /unknown field "colour"/);
});
