import type { KubeObject } from "../kinds/object.ts";
import type { Accept } from "./negotiate.ts";

/** `meta/v1 PartialObjectMetadata` of an object. */
export const partialOf = (object: KubeObject, version: Accept["version"]) => ({
  kind: "PartialObjectMetadata",
  apiVersion: `meta.k8s.io/${version}`,
  metadata: object.metadata,
});
