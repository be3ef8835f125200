// node tools/generate-vm-kinds.ts FILE: derives src/vms/kinds/data/definitions.json from the published OpenAPI
// document of KubeVirt: types, rules and list keys of what the wing serves, no prose.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const roots = (
  "v1.VirtualMachine v1.VirtualMachineInstance v1.VirtualMachineInstanceReplicaSet " +
  "v1.VirtualMachineInstanceMigration v1.KubeVirt " +
  "v1beta1.VirtualMachineInstancetype v1beta1.VirtualMachineClusterInstancetype " +
  "v1beta1.VirtualMachinePreference v1beta1.VirtualMachineClusterPreference v1beta1.VirtualMachinePool " +
  "v1beta1.VirtualMachineSnapshot v1beta1.VirtualMachineSnapshotContent v1beta1.VirtualMachineRestore " +
  "v1beta1.VirtualMachineClone v1.VirtualMachineExport v1beta1.DataVolumeSpec " +
  "v1alpha1.MigrationPolicy " +
  "v1.AddVolumeOptions v1.RemoveVolumeOptions"
).split(" ");

const meta = "k8s.io.apimachinery.pkg.apis.meta.v1.";
const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

/** Types that custom resources say otherwise than OpenAPI does. */
const known: Record<string, unknown> = {
  [`${meta}ObjectMeta`]: { ...open, nullable: true },
  [`${meta}Time`]: { type: "string", format: "date-time", nullable: true },
  [`${meta}Duration`]: { type: "string" },
  "k8s.io.apimachinery.pkg.runtime.RawExtension": open,
  "k8s.io.apimachinery.pkg.util.intstr.IntOrString": { "x-kubernetes-int-or-string": true },
  "k8s.io.apimachinery.pkg.api.resource.Quantity": {
    anyOf: [{ type: "integer" }, { type: "string" }],
    pattern:
      "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$",
    "x-kubernetes-int-or-string": true,
  },
};

const [file] = process.argv.slice(2);
if (!file) throw new Error("which file holds the OpenAPI document?");
const { definitions } = JSON.parse(readFileSync(file, "utf8"));
const kept = new Set(
  "type format nullable enum required pattern minimum maximum minItems maxItems x-kubernetes-list-type x-kubernetes-list-map-keys x-kubernetes-map-type".split(
    " ",
  ),
);
const out: Record<string, unknown> = {};
const shortName = (ref: string) => ref.slice("#/definitions/".length).replace(/^k8s\.io\..*\./, "");

function schemaOf(from: any): any {
  if (from.$ref) return { $ref: define(from.$ref.slice("#/definitions/".length)) };
  if (Array.isArray(from.type) || from.format === "int-or-string") {
    return { "x-kubernetes-int-or-string": true };
  }
  const rules = Object.entries(from).filter(([key]) => kept.has(key));
  const schema: any = Object.fromEntries(rules);
  if (from.properties) {
    const fields = Object.entries<any>(from.properties);
    schema.properties = Object.fromEntries(fields.map(([name, one]) => [name, schemaOf(one)]));
  }
  if (from.items) schema.items = schemaOf(from.items);
  if (typeof from.additionalProperties === "object") {
    schema.additionalProperties = schemaOf(from.additionalProperties);
  }
  return schema;
}

function define(name: string): string {
  const short = shortName(`#/definitions/${name}`);
  if (short in out) return short;
  const from = definitions[name];
  if (!from) throw new Error(`${name} is not in ${file}`);
  out[short] = true;
  out[short] = known[name] ?? schemaOf(from);
  return short;
}

/** What a later importer takes too. */
definitions["v1beta1.DataVolumeSourceHTTP"].properties.checksum = { type: "string" };

for (const root of roots) define(root);
const sorted = Object.fromEntries(Object.entries(out).sort(([a], [b]) => (a < b ? -1 : 1)));
const lines = Object.entries(sorted).map(([name, one]) => `"${name}": ${JSON.stringify(one)}`);
const target = join(import.meta.dirname, "../src/vms/kinds/data/definitions.json");
writeFileSync(target, `{\n${lines.join(",\n")}\n}\n`);
console.log(`${lines.length} definitions`);
