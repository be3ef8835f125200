// node tools/generate-gateway-kinds.ts DIRECTORY: derives src/ingress/kinds/data/definitions.json from published
// CustomResourceDefinitions of Gateway API (its standard channel). Stored versions alone: older names of the same thing
// are for clients that newer ones have replaced.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readDefinitions } from "./definitions.ts";

const wanted = new Set(["gatewayclasses", "gateways", "httproutes", "referencegrants"]);

/** Names of this group are kept for what the community has approved. */
const approved = "api-approved.kubernetes.io";
const bundle = "gateway.networking.k8s.io/bundle-version";

const found = readDefinitions(process.argv[2], { wanted, versions: "stored" }).map((one) => {
  const { name, annotations } = one.metadata;
  return {
    ...one,
    metadata: {
      name,
      annotations: {
        [approved]: annotations[approved],
        [bundle]: annotations[bundle],
        "gateway.networking.k8s.io/channel": "standard",
      },
    },
  };
});
const out = join(import.meta.dirname, "../src/ingress/kinds/data/definitions.json");
writeFileSync(out, `${JSON.stringify(found)}\n`);
console.log(`${found.length} definitions`);
