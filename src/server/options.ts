// Query parameters that every write takes.
import { invalid, type FieldError } from "../lib/status-error.ts";

export type FieldValidation = "Strict" | "Warn" | "Ignore";

export interface WriteOptions {
  dryRun: boolean;
  fieldManager: string;
  fieldValidation: FieldValidation;
  force: boolean;
  /** What admission is shown. */
  raw: Record<string, unknown>;
}

const validations = new Set(["Strict", "Warn", "Ignore", ""]);

/** Longest name of a field manager, as upstream. */
const fieldManagerLengthMax = 128;

const unsupported = (field: string, value: string, supported: string[]): FieldError => ({
  type: "FieldValueNotSupported",
  field,
  message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported
    .map((one) => JSON.stringify(one))
    .join(", ")}`,
});

/** The name under which a caller that gives none owns fields: the first word of its user agent. */
const managerFrom = (userAgent: string | undefined) =>
  (userAgent ?? "").split("/")[0]!.slice(0, fieldManagerLengthMax) || "unknown";

/** Checks and reads them; `kind` is the options' own kind, `CreateOptions`, for messages. */
export function writeOptions(
  query: URLSearchParams,
  headers: Record<string, string | undefined>,
  kind: string,
): WriteOptions {
  const errors: FieldError[] = [];
  const dryRuns = query.getAll("dryRun").filter((value) => value !== "");
  for (const value of dryRuns) {
    if (value !== "All") errors.push(unsupported("dryRun", value, ["All"]));
  }
  const fieldValidation = query.get("fieldValidation") ?? "";
  if (!validations.has(fieldValidation)) {
    errors.push(unsupported("fieldValidation", fieldValidation, ["Ignore", "Strict", "Warn"]));
  }
  const fieldManager = query.get("fieldManager") ?? "";
  if (fieldManager.length > fieldManagerLengthMax) {
    errors.push({
      type: "FieldValueTooLong",
      field: "fieldManager",
      message: `Too long: may not be more than ${fieldManagerLengthMax} bytes`,
    });
  }
  if (errors.length > 0) throw invalid(kind, "meta.k8s.io", "", errors);
  return {
    dryRun: dryRuns.length > 0,
    fieldManager: fieldManager || managerFrom(headers["user-agent"]),
    fieldValidation: (fieldValidation || "Warn") as FieldValidation,
    force: query.get("force") === "true",
    raw: {
      apiVersion: "meta.k8s.io/v1",
      kind,
      ...(dryRuns.length > 0 && { dryRun: dryRuns }),
      ...(fieldManager && { fieldManager }),
      ...(fieldValidation && { fieldValidation }),
    },
  };
}
