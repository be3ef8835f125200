// migrations.kubevirt.io: how guests move that labels choose.
import { schemaOf } from "./schemas.ts";
import { vmDefinition, withStatus } from "./vm-definition.ts";

export const policyDefinition = vmDefinition({
  group: "migrations.kubevirt.io",
  versions: ["v1alpha1"],
  kind: "MigrationPolicy",
  plural: "migrationpolicies",
  scope: "Cluster",
  categories: ["all"],
  schema: schemaOf("v1alpha1.MigrationPolicy"),
  subresources: withStatus,
});
