// node tools/generate-hub-kinds.ts DIRECTORY: derives src/hub/kinds/data/definitions.json from published
// CustomResourceDefinitions of Open Cluster Management.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readDefinitions } from "./definitions.ts";

const wanted = new Set(
  (
    "managedclusters managedclustersets managedclustersetbindings clusterclaims placements " +
    "placementdecisions addonplacementscores manifestworks appliedmanifestworks manifestworkreplicasets"
  ).split(" "),
);

const found = readDefinitions(process.argv[2], { wanted, versions: "served" }).map((one) => ({
  ...one,
  metadata: { name: one.metadata.name },
}));
const out = join(import.meta.dirname, "../src/hub/kinds/data/definitions.json");
writeFileSync(out, `${JSON.stringify(found, null, 1)}\n`);
console.log(`${found.length} definitions`);
