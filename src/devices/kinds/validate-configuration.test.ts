import assert from "node:assert/strict";
import { test } from "node:test";
import { ownHandlers } from "../discovery/own-handlers.ts";
import type { Configuration } from "./configuration.ts";
import { configurationErrors } from "./validate-configuration.ts";

const faults = (spec: object, name = "cameras") => {
  const handler = { discoveryHandler: { name: "udev", discoveryDetails: "udevRules: []" } };
  const configuration = { metadata: { name }, spec: { ...handler, ...spec } } as Configuration;
  return configurationErrors(configuration, ownHandlers).map(
    ({ field, message }) => `${field}: ${message}`,
  );
};
const details = (discoveryDetails: string, name = "udev") =>
  faults({ discoveryHandler: { name, discoveryDetails } });

const container = { name: "a", image: "b", resources: { limits: { "{{PLACEHOLDER}}": "1" } } };

test("a Configuration as Akri's samples have them is fine", () => {
  const brokerSpec = { brokerPodSpec: { containers: [container] } };
  assert.deepEqual(faults({ brokerSpec, instanceServiceSpec: { ports: [{ port: 80 }] } }), []);
});

const wrong: [when: string, spec: object, fault: RegExp][] = [
  ["no handler is named", { discoveryHandler: {} }, /^spec.discoveryHandler.name: Required value$/],
  [
    "a broker's spec has a field that pods do not have",
    { brokerSpec: { brokerPodSpec: { containers: [{ ...container, imagee: "x" }] } } },
    /^spec.brokerSpec.brokerPodSpec.containers\[0\].imagee: Forbidden: unknown field$/,
  ],
  [
    "a Job's spec has a value of another type",
    { brokerSpec: { brokerJobSpec: { parallelism: "two" } } },
    /^spec.brokerSpec.brokerJobSpec.parallelism: Invalid value/,
  ],
  [
    "two kinds of broker are asked for",
    { brokerSpec: { brokerPodSpec: { containers: [] }, brokerJobSpec: {} } },
    /^spec.brokerSpec: Forbidden: more than one kind of broker$/,
  ],
  [
    "a Service's spec has an unknown field",
    { instanceServiceSpec: { prots: [] } },
    /^spec.instanceServiceSpec.prots: Forbidden: unknown field$/,
  ],
  [
    "the device is asked for beside the containers",
    { brokerSpec: { brokerPodSpec: { containers: [], resources: container.resources } } },
    /^spec.brokerSpec.brokerPodSpec.resources.limits\[{{PLACEHOLDER}}\]: Forbidden: a container asks/,
  ],
  [
    "a Secret's key is not named",
    {
      discoveryHandler: {
        name: "lamps",
        discoveryProperties: [{ name: "a", valueFrom: { secretKeyRef: { name: "s" } } }],
      },
    },
    /discoveryProperties\[0\].valueFrom.secretKeyRef.key: Required value$/,
  ],
  ["capacity is negative", { capacity: -1 }, /^spec.capacity: Invalid value: -1/],
];
for (const [when, spec, fault] of wrong) {
  test(`it is refused when ${when}`, () => {
    const [first = "", ...more] = faults(spec);
    assert.match(first, fault);
    assert.deepEqual(more, []);
  });
}

test("it is refused when resources could not be named by it", () => {
  assert.match(faults({}, "a".repeat(57))[0] ?? "", /^metadata.name: Invalid value/);
});

const unread: [name: string, details: string, why: RegExp][] = [
  ["udev", "udevRules: ['KERNEL==\"video0\"']\npermissions: rx", /permissions: expected one of/],
  ["udev", "udevRules: ['RUN+=\"/bin/sh\"']", /\+= is an action/],
  ["udev", "udevRules: [", /not YAML/],
  ["debugEcho", "descriptions: 7", /expected a list of strings/],
  ["onvif", "scopes: {action: Maybe}", /expected action Include or Exclude/],
  ["opcua", "opcuaDiscoveryMethod: {scan: {}}", /"scan" is not known/],
];
for (const [name, text, why] of unread) {
  test(`${name} does not understand ${JSON.stringify(text)}, and the field is told`, () => {
    const [first = ""] = details(text, name);
    assert.match(first, /^spec.discoveryHandler.discoveryDetails: Invalid value: /);
    assert.match(first, why);
  });
}

test("details of a handler that is not Kerb's are its own affair", () => {
  assert.deepEqual(details("[", "lamps"), []);
});
