// Derives src/node/devices/data/*.json from published descriptions of the kubelet's own gRPC APIs: message
// names, field names and numbers, nothing else.
//
//   node tools/generate-kubelet-protocols.ts path/to/kubelet
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

type Any = Record<string, any>;
const source = process.argv[2]!;
const output = join(import.meta.dirname, "../src/node/devices/data");

const files: Record<string, string> = {
  "deviceplugin-v1beta1-api.json": "device-plugin.json",
  "dra-health-v1-api.json": "dra-health.json",
  "dra-v1-api.json": "dra.json",
  "pluginregistration-v1-api.json": "plugin-registration.json",
  "podresources-v1-api.json": "pod-resources.json",
};

function slim(type: Any): Any {
  if (type["values"]) return { values: type["values"] };
  const fields = Object.entries((type["fields"] ?? {}) as Any).map(([name, field]) => {
    const { rule, keyType, type: fieldType, id } = field;
    return [name, { ...(rule && { rule }), ...(keyType && { keyType }), type: fieldType, id }];
  });
  return { fields: Object.fromEntries(fields) };
}

/** The namespace that holds the messages. */
const messagesIn = (all: Any): Any =>
  Object.values(all).some(({ fields }) => fields)
    ? all
    : messagesIn(Object.values(all)[0]["nested"]);

mkdirSync(output, { recursive: true });
for (const [from, to] of Object.entries(files)) {
  const { nested } = JSON.parse(readFileSync(join(source, from), "utf8"));
  const lines = Object.entries(messagesIn(nested))
    .filter(([, type]) => type.fields || type.values)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, type]) => `${JSON.stringify(name)}:${JSON.stringify(slim(type))}`);
  writeFileSync(join(output, to), `{\n${lines.join(",\n")}\n}\n`);
  console.log(`${to}: ${lines.length} messages`);
}
