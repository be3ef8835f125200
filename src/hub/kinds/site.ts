// Site: what a person wants to know of a member at a glance. One for each ManagedCluster, by its name.
import { fleetDefinition } from "./fleet.ts";
import type { Schema } from "../../kinds/schema.ts";
import type { KubeObject } from "../../kinds/object.ts";

export type SyncState = "InSync" | "OutOfSync" | "Unknown";

export interface ContentSync {
  /** `Works`, `Version`. */
  content: string;
  state: SyncState;
  message: string;
}

export interface SiteStatus {
  availability: "Online" | "Offline" | "Pending" | "Departed";
  /** The worst of all kinds of content. */
  sync: SyncState;
  contents: ContentSync[];
  /** Of Kerb; absent for other products. */
  version?: string;
  alarms: { critical: number; major: number; minor: number; warning: number };
  /** What is being done to it. */
  operation?: string | null;
}

export interface Site extends KubeObject {
  spec: { management?: "Managed" | "Unmanaged" };
  status?: SiteStatus;
}

const states = { type: "string", enum: ["InSync", "OutOfSync", "Unknown"] } satisfies Schema;
const count = { type: "integer", format: "int32" } as const;

export const siteDefinition = fleetDefinition({
  kind: "Site",
  plural: "sites",
  scope: "Cluster",
  columns: [
    { name: "Management", jsonPath: ".spec.management" },
    { name: "Availability", jsonPath: ".status.availability" },
    { name: "Sync", jsonPath: ".status.sync" },
    { name: "Version", jsonPath: ".status.version" },
    { name: "Operation", jsonPath: ".status.operation" },
    { name: "Critical", jsonPath: ".status.alarms.critical", type: "integer" },
    { name: "Major", jsonPath: ".status.alarms.major", type: "integer" },
    { name: "Age", jsonPath: ".metadata.creationTimestamp", type: "date" },
  ],
  spec: {
    type: "object",
    properties: {
      // Nothing new begins at one that is not managed.
      management: { type: "string", enum: ["Managed", "Unmanaged"], default: "Managed" },
    },
  },
  status: {
    type: "object",
    properties: {
      availability: { type: "string", enum: ["Online", "Offline", "Pending", "Departed"] },
      sync: states,
      version: { type: "string" },
      operation: { type: "string", nullable: true },
      contents: {
        type: "array",
        items: {
          type: "object",
          required: ["content", "state"],
          properties: { content: { type: "string" }, state: states, message: { type: "string" } },
        },
      },
      alarms: {
        type: "object",
        properties: { critical: count, major: count, minor: count, warning: count },
      },
    },
  },
});
