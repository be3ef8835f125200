// Kinds for the tests of this room.
import type { Kind } from "../kinds/kind.ts";

/** A namespaced kind with every verb and an open schema, but for `rest`. */
export const testKind = (
  group: string,
  version: string,
  kind: string,
  rest: Partial<Kind> = {},
): Kind => ({
  group,
  version,
  kind,
  listKind: `${kind}List`,
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  namespaced: true,
  verbs: ["create", "get", "list", "watch", "update", "patch", "delete", "deletecollection"],
  schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  columns: [],
  subresources: [],
  ...rest,
});
