// Strategic merge patches for whoever builds manifests: by the rules of built-in kinds, and plainly for others.
import type { StrategicMerge } from "../gitops/kustomize/patches.ts";
import type { Kinds } from "../kinds/kinds.ts";
import { mergePatch } from "../lib/patch/merge-patch.ts";
import { strategicMergePatch } from "../server/patch/strategic-merge-patch.ts";

export const strategicMerge =
  (kinds: Kinds): StrategicMerge =>
  (object, patch) => {
    const { apiVersion, kind } = object;
    const slash = apiVersion.indexOf("/");
    const group = slash < 0 ? "" : apiVersion.slice(0, slash);
    const found = kinds.byKind(group, apiVersion.slice(slash + 1), kind);
    if (!found) return mergePatch(object, patch) as typeof object;
    return strategicMergePatch(object, patch, found.schema, kinds.definition);
  };
