// Field errors in Kubernetes' wording (apimachinery, util/validation/field).
import type { FieldError } from "../../lib/status-error.ts";

export const requiredField = (field: string, why: string): FieldError => ({
  type: "FieldValueRequired",
  field,
  message: why ? `Required value: ${why}` : "Required value",
});

export const invalidField = (field: string, value: unknown, why: string): FieldError => ({
  type: "FieldValueInvalid",
  field,
  message: `Invalid value: ${JSON.stringify(value) ?? "null"}: ${why}`,
});

export const forbiddenField = (field: string, why: string): FieldError => ({
  type: "FieldValueForbidden",
  field,
  message: `Forbidden: ${why}`,
});

export const unsupportedField = (
  field: string,
  value: unknown,
  supported: string[],
): FieldError => ({
  type: "FieldValueNotSupported",
  field,
  message:
    `Unsupported value: ${JSON.stringify(value) ?? '""'}: supported values: ` +
    supported
      .toSorted()
      .map((one) => JSON.stringify(one))
      .join(", "),
});
