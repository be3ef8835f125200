// All kinds of the wing.
import { cdiDefinitions } from "./cdi.ts";
import { instancetypeDefinitions } from "./instancetype.ts";
import { kubevirtDefinitions } from "./kubevirt.ts";
import { policyDefinition } from "./migration-policy.ts";
import { poolDefinition } from "./pool.ts";
import { replicationDefinition } from "./replication.ts";
import { copyDefinitions } from "./snapshot.ts";

export const vmDefinitions = [
  ...kubevirtDefinitions,
  ...instancetypeDefinitions,
  poolDefinition,
  policyDefinition,
  ...copyDefinitions,
  ...cdiDefinitions,
  replicationDefinition,
];
