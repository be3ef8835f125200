// ClusterProfile of SIG Multicluster (KEP-4322): the inventory that other programs read.
import { conditions } from "../../kinds/condition-schema.ts";
import { resource } from "../../client/client.ts";
import type { Definition } from "../../client/definitions.ts";

const group = "multicluster.x-k8s.io";

export const clusterProfiles = resource(`${group}/v1alpha1`, "clusterprofiles");

const string = { type: "string" };
const named = { type: "object", required: ["name"], properties: { name: string } };
const version = { type: "object", properties: { kubernetes: string } };
const property = {
  type: "object",
  required: ["name", "value"],
  properties: {
    name: { ...string, maxLength: 253, minLength: 1 },
    value: { ...string, maxLength: 1024 },
  },
};

const schema = {
  type: "object",
  required: ["spec"],
  properties: {
    spec: {
      type: "object",
      required: ["clusterManager"],
      properties: {
        displayName: string,
        clusterManager: {
          ...named,
          "x-kubernetes-validations": [
            { rule: "self == oldSelf", message: "ClusterManager is immutable" },
          ],
        },
      },
    },
    status: {
      type: "object",
      properties: { conditions, version, properties: { type: "array", items: property } },
    },
  },
};

const column = (name: string, jsonPath: string) => ({ name, type: "string", jsonPath });

export const clusterProfileDefinition: Definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: {
    name: `clusterprofiles.${group}`,
    // Names of the group belong to Kubernetes, whose reviewers have seen this kind.
    annotations: {
      "api-approved.kubernetes.io": "https://github.com/kubernetes/enhancements/pull/4322",
    },
  },
  spec: {
    group,
    scope: "Namespaced",
    names: {
      ...{ kind: "ClusterProfile", listKind: "ClusterProfileList" },
      ...{ plural: "clusterprofiles", singular: "clusterprofile" },
    },
    versions: [
      {
        ...{ name: "v1alpha1", served: true, storage: true, subresources: { status: {} } },
        schema: { openAPIV3Schema: schema },
        additionalPrinterColumns: [
          column("Manager", ".spec.clusterManager.name"),
          column("Version", ".status.version.kubernetes"),
          column("Healthy", '.status.conditions[?(@.type=="ControlPlaneHealthy")].status'),
        ],
      },
    ],
  },
};
