// What a simulated fleet runs: one ConfigMap of a colour, at the sites of the north.
import type { Target } from "../../src/client/client.ts";
import { resource } from "../../src/client/client.ts";
import {
  managedClusterSetBindings,
  manifestWorkReplicaSets,
  placements,
} from "../../src/hub/kinds/resources.ts";
import type { Draft } from "../../src/kinds/object.ts";

export const namespace = "team";
const ocm = "open-cluster-management.io";

/** The part of the replica set's spec that says the colour. */
export const paint = (colour: string) => ({
  manifestWorkTemplate: {
    workload: {
      manifests: [
        {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name: "paint", namespace: "default" },
          data: { colour },
        },
      ],
    },
  },
});

export const setManifests = (maxConcurrency: number): [Target, Draft][] => [
  [
    resource("v1", "namespaces"),
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
  ],
  [
    { ...managedClusterSetBindings, namespace },
    {
      apiVersion: `cluster.${ocm}/v1beta2`,
      kind: "ManagedClusterSetBinding",
      metadata: { name: "global" },
      spec: { clusterSet: "global" },
    },
  ],
  [
    { ...placements, namespace },
    {
      apiVersion: `cluster.${ocm}/v1beta1`,
      kind: "Placement",
      metadata: { name: "north" },
      spec: {
        predicates: [
          { requiredClusterSelector: { labelSelector: { matchLabels: { region: "north" } } } },
        ],
      },
    },
  ],
  [
    { ...manifestWorkReplicaSets, namespace },
    {
      apiVersion: `work.${ocm}/v1alpha1`,
      kind: "ManifestWorkReplicaSet",
      metadata: { name: "paint" },
      spec: {
        placementRefs: [
          {
            name: "north",
            rolloutStrategy: { type: "Progressive", progressive: { maxConcurrency } },
          },
        ],
        ...paint("white"),
      },
    },
  ],
];
