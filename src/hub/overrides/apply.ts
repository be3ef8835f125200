// What differs at a site: replicas, images and patches by the site's labels, put into the manifests when the
// work of that site is made. Rules apply in their order, so a later one wins. Pure; never changes its input.
import { isObject } from "../../lib/json.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import type { LabelSelector } from "../../lib/label-selector.ts";
import { jsonPatch } from "../../lib/patch/json-patch.ts";
import { mergePatch } from "../../lib/patch/merge-patch.ts";
import { badRequest } from "../../lib/status-error.ts";
import { rename } from "./image.ts";
import type { ImageRule } from "./image.ts";

export interface OverrideTarget {
  /** Of the apiVersion; "" is the core group. Absent fields match anything. */
  group?: string;
  kind?: string;
  namespace?: string;
  name?: string;
}

export interface OverrideRule {
  siteSelector?: LabelSelector;
  target?: OverrideTarget;
  replicas?: number;
  images?: ImageRule[];
  patches?: { type?: "merge" | "json"; patch: unknown }[];
}

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name?: string; namespace?: string; [field: string]: unknown };
  [field: string]: any;
}

function isTarget({ group, kind, namespace, name }: OverrideTarget, manifest: Manifest): boolean {
  const { apiVersion, metadata } = manifest;
  const own = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  return (
    (group === undefined || group === own) &&
    (kind === undefined || kind === manifest.kind) &&
    (namespace === undefined || namespace === metadata.namespace) &&
    (name === undefined || name === metadata.name)
  );
}

const containerLists = new Set(["containers", "initContainers", "ephemeralContainers"]);

/** `value` with every container's image passed through `change`, wherever a pod template is. */
function withImages(value: unknown, change: (image: string) => string): unknown {
  if (Array.isArray(value)) return value.map((one) => withImages(one, change));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, of]) => {
      const inner = withImages(of, change);
      if (!containerLists.has(key) || !Array.isArray(inner)) return [key, inner];
      const changed = inner.map((one) =>
        isObject(one) && typeof one.image === "string" ? { ...one, image: change(one.image) } : one,
      );
      return [key, changed];
    }),
  );
}

/** An override that made another object of it would leave the first behind at the site. */
function checkSame(before: Manifest, after: Manifest) {
  const identity = ({ apiVersion, kind, metadata }: Manifest) =>
    `${apiVersion} ${kind} ${metadata?.namespace ?? ""}/${metadata?.name}`;
  if (isObject(after) && identity(before) === identity(after)) return;
  throw badRequest(`an override must not change what object ${identity(before)} is`);
}

function applyRule(rule: OverrideRule, manifest: Manifest): Manifest {
  const { target = {}, replicas, images = [], patches = [] } = rule;
  if (!isTarget(target, manifest)) return manifest;
  let result: any = manifest;
  if (replicas !== undefined && isObject(manifest.spec) && "replicas" in manifest.spec) {
    result = { ...manifest, spec: { ...manifest.spec, replicas } };
  }
  if (images.length > 0) {
    result = withImages(result, (image) => images.reduce(rename, image));
  }
  for (const { type = "merge", patch } of patches) {
    result = type === "json" ? jsonPatch(result, patch) : mergePatch(result, patch);
  }
  checkSame(manifest, result);
  return result;
}

export const rulesFor = (rules: OverrideRule[], labels: Record<string, string>) =>
  rules.filter(({ siteSelector }) => compileSelector(siteSelector ?? {})(labels));

/** The manifests as the site with `labels` gets them. Throws StatusErrors for a patch that does not apply. */
export function applyOverrides(
  manifests: Manifest[],
  rules: OverrideRule[],
  labels: Record<string, string>,
): Manifest[] {
  const own = rulesFor(rules, labels);
  return manifests.map((manifest) => own.reduce((of, rule) => applyRule(rule, of), manifest));
}
