// What the schema cannot say of the ConfigMaps and Secrets alike.
import { jsonEqual } from "../../lib/json.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { forbiddenValue, invalidValue, nameErrors } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { configKey } from "../name-rules.ts";

const dataBytesMax = 1024 * 1024;
/** ConfigMaps and Secrets: keys, size, and what `immutable` promises. */
export function dataErrors({ object, old }: Change): FieldError[] {
  const errors: FieldError[] = [];
  let bytes = 0;
  for (const field of ["data", "binaryData"]) {
    for (const [key, text] of Object.entries<string>(object[field] ?? {})) {
      const reasons = nameErrors(configKey, key, `${field}[${key}]`);
      if (reasons.length > 0) errors.push(...reasons);
      else if (field === "data" && object["binaryData"]?.[key] !== undefined) {
        errors.push(invalidValue(`data[${key}]`, key, "duplicate of key present in binaryData"));
      }
      const isBase64 = field === "binaryData" || object.kind === "Secret";
      bytes += Buffer.byteLength(text, isBase64 ? "base64" : "utf8");
    }
  }
  if (bytes > dataBytesMax) {
    const message = `Too long: may not be more than ${dataBytesMax} bytes`;
    errors.push({ type: "FieldValueTooLong", field: "[]", message });
  }
  if (old?.["type"] && old["type"] !== object["type"]) {
    errors.push(invalidValue("type", object["type"], "field is immutable"));
  }
  if (old?.["immutable"] !== true) return errors;
  const why = "field is immutable when `immutable` is set";
  if (object["immutable"] !== true) errors.push(forbiddenValue("immutable", why));
  for (const field of ["data", "binaryData"]) {
    if (!jsonEqual(old[field], object[field])) errors.push(forbiddenValue(field, why));
  }
  return errors;
}
