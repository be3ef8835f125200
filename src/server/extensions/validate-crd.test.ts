import type { ClientConfig } from "../admission/webhooks/configuration.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Schema } from "../../kinds/schema.ts";
import type { Crd } from "./crd.ts";
import { backupCrd } from "./test-crd.ts";
import { validateCrd } from "./validate-crd.ts";

const at = "spec.versions[0].schema.openAPIV3Schema";
const withSchema = (schema: unknown) => {
  const crd = backupCrd();
  crd.spec.versions[0]!.schema = { openAPIV3Schema: schema as Schema };
  delete crd.spec.versions[0]!.selectableFields;
  return crd;
};
const withSpec = (spec: unknown) =>
  withSchema({ type: "object", properties: { spec } as Record<string, Schema> });
const lines = (crd: Crd, old?: Crd) =>
  validateCrd(crd, old).map(({ field, message }) => `${field}: ${message}`);

const webhook = (clientConfig: ClientConfig, conversionReviewVersions: string[]) => ({
  strategy: "Webhook",
  webhook: { clientConfig, conversionReviewVersions },
});

test("a definition as people write them is valid", () => {
  assert.deepEqual(lines(backupCrd()), []);
});

test("schemas that are not structural are refused", () => {
  const spec = `${at}.properties[spec]`;
  const cases: [unknown, string][] = [
    [{}, `${spec}.type: Required value: must not be empty for specified object fields`],
    [
      { type: "array", items: {} },
      `${spec}.items.type: Required value: must not be empty for specified array items`,
    ],
    [{ type: "array" }, `${spec}.items: Required value: must be specified`],
    [{ $ref: "x", type: "object" }, `${spec}.$ref: Forbidden: $ref is not supported`],
    [
      { type: "strin" },
      `${spec}.type: Unsupported value: "strin": supported values: "array", "boolean", "integer", "number", "object", "string"`,
    ],
    [
      { type: "array", items: { type: "string" }, uniqueItems: true },
      `${spec}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic`,
    ],
    [
      {
        type: "object",
        properties: { a: { type: "string" } },
        additionalProperties: { type: "string" },
      },
      `${spec}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`,
    ],
    [
      { type: "object", anyOf: [{ type: "object" }] },
      `${spec}.anyOf[0].type: Forbidden: must be empty to be structural`,
    ],
    [
      { type: "object", oneOf: [{ properties: { a: { minimum: 1 } } }] },
      `${spec}.properties[a]: Required value: because it is defined in ${spec}.oneOf[0].properties[a]`,
    ],
    [
      { type: "integer", "x-kubernetes-int-or-string": true },
      `${spec}.type: Invalid value: "integer": must be empty if x-kubernetes-int-or-string is true`,
    ],
    [
      { type: "object", "x-kubernetes-preserve-unknown-fields": false },
      `${spec}.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined`,
    ],
    [
      { type: "array", items: { type: "object" }, "x-kubernetes-list-type": "map" },
      `${spec}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map`,
    ],
    [
      {
        type: "array",
        items: { type: "object", properties: { name: { type: "string" } } },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
      },
      `${spec}.items.properties[name].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
    ],
  ];
  for (const [schema, text] of cases) assert.deepEqual(lines(withSpec(schema)), [text]);
  assert.match(
    lines(withSpec({ type: "string", pattern: "(" }))[0]!,
    /pattern: Invalid value: "\(": must be a valid regular expression, but isn't: /,
  );
});

test("the root is an object whose metadata is implied", () => {
  assert.deepEqual(lines(withSchema(undefined)), [`${at}: Required value: schemas are required`]);
  assert.deepEqual(lines(withSchema({})), [
    `${at}.type: Required value: must not be empty at the root`,
  ]);
  assert.deepEqual(lines(withSchema({ type: "string" })), [
    `${at}.type: Invalid value: "string": must be object at the root`,
  ]);
  const metadata = { type: "object", properties: { labels: { type: "object" } } };
  assert.deepEqual(lines(withSchema({ type: "object", properties: { metadata } })), [
    `${at}.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified`,
  ]);
});

test("names, group, scope and versions are checked", () => {
  const [version] = backupCrd().spec.versions;
  const { names } = backupCrd().spec;
  const cases: [Crd, RegExp][] = [
    [
      backupCrd({}, "wrong"),
      /^metadata.name: Invalid value: "wrong": must be spec.names.plural\+"."\+spec.group$/,
    ],
    [backupCrd({ group: "local" }), /^spec.group: Invalid value: "local": should be a domain/],
    [backupCrd({ group: "x.k8s.io" }), /protected groups must have approval annotation/],
    [
      backupCrd({ scope: "World" as never }),
      /^spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"$/,
    ],
    [
      backupCrd({ names: { ...names, kind: "Back_up" } }),
      /^spec.names.kind: Invalid value: "Back_up": may have mixed case, but should otherwise match: a DNS-1035/,
    ],
    [
      backupCrd({ names: { ...names, listKind: "Backup" } }),
      /^spec.names.listKind: .*kind and listKind may not be the same$/,
    ],
    [backupCrd({ versions: [] }), /must have exactly one version marked as storage version$/],
    [
      backupCrd({ versions: [version!, { ...version!, storage: false }] }),
      /must contain unique version names$/,
    ],
    [
      backupCrd({
        conversion: { strategy: "Webhook", webhook: { conversionReviewVersions: ["v1"] } },
      }),
      /^spec.conversion.webhook.clientConfig: Required value: required when strategy is set to/,
    ],
    [
      backupCrd({ conversion: webhook({ url: "https://127.0.0.1" }, ["v7"]) }),
      /^spec.conversion.webhook.conversionReviewVersions: Invalid value: \["v7"\]: must include at/,
    ],
    [
      backupCrd({ conversion: webhook({}, ["v1"]) }),
      /^spec.conversion.webhook.clientConfig: Required value: exactly one of url or service is/,
    ],
    [
      backupCrd({ preserveUnknownFields: true }),
      /^spec.preserveUnknownFields: Invalid value: true/,
    ],
  ];
  for (const [crd, text] of cases) {
    const found = lines(crd);
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0]!, text);
  }
});

test("what objects rely on does not change", () => {
  const old = backupCrd();
  const condition = { type: "Established", status: "True" } as const;
  old.status = { storedVersions: ["v1"], conditions: [condition] };
  const [version] = old.spec.versions;
  const next = backupCrd({ scope: "Cluster", versions: [{ ...version!, name: "v2" }] });
  const found = lines(next, old);
  assert.equal(found[0], 'spec.scope: Invalid value: "Cluster": field is immutable');
  assert.match(found[1]!, /^status.storedVersions\[0\]: Invalid value: "v1": missing from spec/);
});
