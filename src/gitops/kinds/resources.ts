// Flux's kinds, as far as this wing has them. The spec keeps what it does not know, so that a controller can refuse
// it by name instead of a server dropping it without a word.
import { resource } from "../../client/client.ts";
import type { Definition } from "../../client/definitions.ts";

const sourceGroup = "source.toolkit.fluxcd.io";
const kustomizeGroup = "kustomize.toolkit.fluxcd.io";

export const gitRepositories = resource(`${sourceGroup}/v1`, "gitrepositories");
export const ociRepositories = resource(`${sourceGroup}/v1`, "ocirepositories");
export const kustomizations = resource(`${kustomizeGroup}/v1`, "kustomizations");

const loose = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
const string = { type: "string" };
const duration = { type: "string", pattern: "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$" };

interface KindOptions {
  group: string;
  kind: string;
  plural: string;
  shortName: string;
  required: string[];
  properties: Record<string, object>;
  columns: { name: string; jsonPath: string }[];
}

const ready = '.status.conditions[?(@.type=="Ready")]';

function definitionOf(options: KindOptions): Definition {
  const { group, kind, plural, shortName, required, properties, columns } = options;
  const spec = { ...loose, required, properties };
  const served = {
    ...{ name: "v1", served: true, storage: true, subresources: { status: {} } },
    schema: {
      openAPIV3Schema: { type: "object", required: ["spec"], properties: { spec, status: loose } },
    },
    additionalPrinterColumns: [
      ...columns,
      { name: "Ready", jsonPath: `${ready}.status` },
      { name: "Status", jsonPath: `${ready}.message` },
    ].map((column) => ({ type: "string", ...column })),
  };
  const names = {
    ...{ kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
    shortNames: [shortName],
  };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: { group, scope: "Namespaced", names, versions: [served] },
  };
}

const url = [{ name: "URL", jsonPath: ".spec.url" }];

export const gitOpsDefinitions = [
  definitionOf({
    ...{
      group: sourceGroup,
      kind: "GitRepository",
      plural: "gitrepositories",
      shortName: "gitrepo",
    },
    required: ["url", "interval"],
    properties: { url: string, interval: duration, timeout: duration },
    columns: url,
  }),
  definitionOf({
    ...{
      group: sourceGroup,
      kind: "OCIRepository",
      plural: "ocirepositories",
      shortName: "ocirepo",
    },
    required: ["url", "interval"],
    properties: {
      url: { ...string, pattern: "^oci://.+$" },
      interval: duration,
      timeout: duration,
    },
    columns: url,
  }),
  definitionOf({
    ...{ group: kustomizeGroup, kind: "Kustomization", plural: "kustomizations", shortName: "ks" },
    required: ["interval", "prune", "sourceRef"],
    properties: {
      ...{ interval: duration, retryInterval: duration, timeout: duration },
      ...{ path: string, prune: { type: "boolean" }, suspend: { type: "boolean" } },
      sourceRef: {
        ...{ ...loose, required: ["kind", "name"] },
        properties: {
          kind: { type: "string", enum: ["GitRepository", "OCIRepository"] },
          ...{ name: string, namespace: string },
        },
      },
    },
    columns: [{ name: "Revision", jsonPath: ".status.lastAppliedRevision" }],
  }),
];
