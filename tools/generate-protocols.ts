// Derives src/containers/data/cri.json from a published description of CRI: message names, field names and
// numbers, nothing else.
//
//   node tools/generate-protocols.ts path/to/cri/api.json
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

type Any = Record<string, any>;
const source = JSON.parse(readFileSync(process.argv[2]!, "utf8"));
const all: Any = source.nested.runtime.nested.v1.nested;

const methods = [
  "Version",
  "RunPodSandbox",
  "StopPodSandbox",
  "RemovePodSandbox",
  "PodSandboxStatus",
  "ListPodSandbox",
  "CreateContainer",
  "StartContainer",
  "StopContainer",
  "RemoveContainer",
  "ListContainers",
  "ContainerStatus",
  "ReopenContainerLog",
  "ExecSync",
  "Attach",
  "Status",
  "ListContainerStats",
  "UpdateContainerResources",
  "UpdateRuntimeConfig",
  "ImageStatus",
  "PullImage",
  "ListImages",
  "RemoveImage",
];

const kept = new Set<string>();
function keep(name: string) {
  const type = all[name];
  if (!type || kept.has(name)) return;
  kept.add(name);
  for (const field of Object.values((type.fields ?? {}) as Any)) keep(field.type);
  for (const nested of Object.values((type.nested ?? {}) as Any)) {
    for (const field of Object.values((nested.fields ?? {}) as Any)) keep(field.type);
  }
}
for (const service of ["RuntimeService", "ImageService"]) {
  for (const [name, method] of Object.entries(all[service].methods as Any)) {
    if (!methods.includes(name)) continue;
    keep(method.requestType);
    keep(method.responseType);
  }
}

function slim(type: Any): Any {
  if (type["values"]) return { values: type["values"] };
  const fields = Object.entries((type["fields"] ?? {}) as Any).map(([name, field]) => {
    const { rule, keyType, type: fieldType, id } = field;
    return [name, { ...(rule && { rule }), ...(keyType && { keyType }), type: fieldType, id }];
  });
  const nested = Object.entries((type["nested"] ?? {}) as Any).map(([name, one]) => [
    name,
    slim(one),
  ]);
  return {
    ...(nested.length > 0 && { nested: Object.fromEntries(nested) }),
    ...(type["oneofs"] && { oneofs: type["oneofs"] }),
    fields: Object.fromEntries(fields),
  };
}

const output = join(import.meta.dirname, "../src/containers/data");
mkdirSync(output, { recursive: true });
const lines = [...kept]
  .sort()
  .map((name) => `${JSON.stringify(name)}:${JSON.stringify(slim(all[name]))}`);
writeFileSync(join(output, "cri.json"), `{\n${lines.join(",\n")}\n}\n`);
console.log(`${kept.size} messages`);
