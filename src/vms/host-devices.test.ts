import assert from "node:assert/strict";
import { test } from "node:test";
import {
  deviceErrors,
  grantedDevices,
  hostDevicesOf,
  isClaimed,
  permittedDevices,
} from "./host-devices.ts";
import { claimedDevice, claimNameIn } from "./node/claimed-devices.ts";

const devices = pluginDevices({
  gpus: [{ name: "g", deviceName: "example.com/a-gpu" }],
  hostDevices: [
    { name: "a", deviceName: "example.com/card" },
    { name: "b", deviceName: "example.com/card" },
    { name: "key", deviceName: "example.com/key" },
  ],
});

function pluginDevices(said: object) {
  return hostDevicesOf(said).flatMap((one) => (isClaimed(one) ? [] : [one]));
}

test("every device is the next that its plugin granted", () => {
  const environment = [
    "PATH=/bin",
    "MDEV_PCI_RESOURCE_EXAMPLE_COM_A-GPU=1b2c",
    "PCI_RESOURCE_EXAMPLE_COM_CARD=0000:01:00.0,0000:02:00.0",
    "USB_RESOURCE_EXAMPLE_COM_KEY=1:4",
  ];
  assert.deepEqual(grantedDevices(devices, environment), [
    { name: "g", kind: "mediated", at: "1b2c" },
    { name: "a", kind: "pci", at: "0000:01:00.0" },
    { name: "b", kind: "pci", at: "0000:02:00.0" },
    { name: "key", kind: "usb", at: "1:4" },
  ]);
  assert.throws(() => grantedDevices(devices, environment.slice(0, 2)), /device a: the plugin of/);
});

test("only devices that the installation permits are given to guests", () => {
  const permitted = permittedDevices({
    permittedHostDevices: {
      pciHostDevices: [{ resourceName: "example.com/card" }],
      usb: [{ resourceName: "akri.sh/sticks" }],
    },
  });
  const asked = {
    hostDevices: [
      { name: "a", deviceName: "example.com/card" },
      { name: "b", deviceName: "akri.sh/sticks-8120fe" },
    ],
    gpus: [
      { name: "g", deviceName: "x/y" },
      { name: "h", deviceName: "akri.sh/sticks-8120fe-8120fe" },
      { name: "i", deviceName: "example.com/card-8120fe" },
    ],
  };
  assert.deepEqual(
    deviceErrors({ domain: { devices: asked } }, "spec", permitted).map(({ field }) => field),
    [0, 1, 2].map((i) => `spec.domain.devices.gpus[${i}].deviceName`),
  );
});

const claim = {
  metadata: { namespace: "till", name: "two-cards" },
  status: {
    allocation: {
      devices: {
        results: [
          { request: "card", driver: "cards.example.com", pool: "a", device: "card-1" },
          { request: "key/first", driver: "cards.example.com", pool: "a", device: "key-0" },
          { request: "lamps", driver: "cards.example.com", pool: "a", device: "lamp-0" },
          { request: "lamps", driver: "cards.example.com", pool: "a", device: "lamp-1" },
          { request: "lamp", driver: "cards.example.com", pool: "a", device: "lamp-0" },
        ],
      },
    },
  },
} as any;
const slice = (generation: number, address: string) =>
  ({
    spec: {
      ...{ driver: "cards.example.com", pool: { name: "a", generation } },
      devices: [
        {
          name: "card-1",
          attributes: { "resource.kubernetes.io/pciBusID": { string: address } },
        },
        {
          name: "key-0",
          attributes: { usbBus: { int: 1 }, "cards.example.com/usbDevice": { int: 4 } },
        },
        { name: "lamp-0", attributes: { "resource.kubernetes.io/pciBusID": { string: "/etc" } } },
      ],
    },
  }) as any;

test("a claim's device is where its driver says that it lies, or refused by name", () => {
  const slices = [slice(1, "0000:01:00.0"), slice(2, "0000:02:00.0")];
  const of = (request: string) =>
    claimedDevice({ name: "a", claim: "cards", request }, claim, slices);
  assert.deepEqual(of("card"), { name: "a", kind: "pci", at: "0000:02:00.0" });
  assert.deepEqual(of("key"), { name: "a", kind: "usb", at: "1:4" });
  assert.throws(() => of("lamp"), /device a: lamp-0 of driver cards.example.com has no attribute/);
  assert.throws(() => of("lamps"), /request lamps of claim two-cards has 2 devices/);
  assert.throws(() => of("other"), /has 0 devices/);
});

test("an entry means a claim by its name, or the one that was made of its template", () => {
  const pod = {
    spec: {
      resourceClaims: [
        { name: "a", resourceClaimName: "there" },
        { name: "b", resourceClaimTemplateName: "cards" },
      ],
    },
    status: { resourceClaimStatuses: [{ name: "b", resourceClaimName: "shop-b-x" }] },
  } as any;
  assert.deepEqual(
    ["a", "b", "c"].map((entry) => claimNameIn(pod, entry)),
    ["there", "shop-b-x", undefined],
  );
});

test("a device of a claim names both of them, and the claim is one of the machine's", () => {
  const rows: [object, string[]][] = [
    [{ claimName: "cards", requestName: "card" }, []],
    [{ claimName: "cards" }, ["requestName"]],
    [{ requestName: "card" }, ["claimName"]],
    [{ claimName: "others", requestName: "card" }, ["claimName"]],
    [{ claimName: "cards", requestName: "card", deviceName: "x/y" }, ["deviceName"]],
  ];
  for (const [device, wrong] of rows) {
    const spec = {
      domain: { devices: { gpus: [{ name: "g", ...device }] } },
      resourceClaims: [{ name: "cards", resourceClaimTemplateName: "cards" }],
    };
    assert.deepEqual(
      deviceErrors(spec, "spec", new Set()).map(({ field }) => field),
      wrong.map((name) => `spec.domain.devices.gpus[0].${name}`),
    );
  }
});
