// `meta/v1 DeleteOptions`, from the body or the query.
import { badRequest, invalid, type FieldError } from "../lib/status-error.ts";

export type Propagation = "Orphan" | "Background" | "Foreground";

export interface DeletionOptions {
  gracePeriodSeconds: number | undefined;
  propagationPolicy: Propagation | undefined;
  preconditions: { uid?: string; resourceVersion?: string };
  dryRun: boolean;
}

const policies = ["Background", "Foreground", "Orphan"];

function integer(value: unknown, field: string): number | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (!Number.isSafeInteger(Number(value))) {
    throw badRequest(`${field}: Invalid value: ${JSON.stringify(value)}: must be an integer`);
  }
  return Number(value);
}

/** Throws Invalid for policies and dry runs that do not exist. */
export function deletionOptions(body: any, query: URLSearchParams): DeletionOptions {
  const errors: FieldError[] = [];
  const policy = body.propagationPolicy ?? query.get("propagationPolicy") ?? undefined;
  const orphan = body.orphanDependents ?? (query.get("orphanDependents") || undefined);
  if (policy !== undefined && orphan !== undefined) {
    errors.push({
      type: "FieldValueInvalid",
      field: "propagationPolicy",
      message: `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`,
    });
  }
  if (policy !== undefined && !policies.includes(policy)) {
    errors.push({
      type: "FieldValueNotSupported",
      field: "propagationPolicy",
      message: `Unsupported value: ${JSON.stringify(policy)}: supported values: "Background", "Foreground", "Orphan"`,
    });
  }
  const dryRun = (body.dryRun ?? []) as string[];
  for (const value of dryRun) {
    if (value === "All") continue;
    errors.push({
      type: "FieldValueNotSupported",
      field: "dryRun",
      message: `Unsupported value: ${JSON.stringify(value)}: supported values: "All"`,
    });
  }
  if (errors.length > 0) throw invalid("DeleteOptions", "meta.k8s.io", "", errors);
  const fromOrphan =
    orphan === undefined ? undefined : String(orphan) === "true" ? "Orphan" : "Background";
  return {
    gracePeriodSeconds: integer(
      body.gracePeriodSeconds ?? query.get("gracePeriodSeconds"),
      "gracePeriodSeconds",
    ),
    propagationPolicy: (policy as Propagation | undefined) ?? fromOrphan,
    preconditions: {
      ...(body.preconditions?.uid && { uid: body.preconditions.uid }),
      ...(body.preconditions?.resourceVersion && {
        resourceVersion: body.preconditions.resourceVersion,
      }),
    },
    dryRun: dryRun.length > 0,
  };
}
