// Files that people write, field by field: every fault is told by its path, and an unknown field is one.

/** What is wrong with a value at a path, as sentences. */
export type Shape = (value: any, at: string) => string[];

export const text: Shape = (value, at) =>
  typeof value === "string" ? [] : [`${at}: must be a string`];
export const flag: Shape = (value, at) =>
  typeof value === "boolean" ? [] : [`${at}: must be true or false`];

export const oneOf =
  (allowed: readonly string[]): Shape =>
  (value, at) =>
    allowed.includes(value) ? [] : [`${at}: must be one of ${allowed.join(", ")}`];

export const list =
  (item: Shape): Shape =>
  (value, at) =>
    Array.isArray(value)
      ? value.flatMap((one, i) => item(one, `${at}[${i}]`))
      : [`${at}: must be a list`];

export const fields =
  (known: Record<string, Shape>, required: string[] = []): Shape =>
  (value, at) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return [`${at || "the document"}: must be an object`];
    }
    const path = (field: string) => (at ? `${at}.${field}` : field);
    return [
      ...required.filter((field) => value[field] === undefined).map((f) => `${path(f)}: required`),
      ...Object.keys(value).flatMap((field) =>
        known[field] ? known[field](value[field], path(field)) : [`${path(field)}: unknown field`],
      ),
    ];
  };
