// What Flux has and this wing has not is refused by name, whoever wrote it and however: a field that did nothing
// would be worse than one that fails. Pure.

/** Which fields there are: `true` for a value, or the fields of an object or of a list's elements. */
export interface Fields {
  [name: string]: true | Fields;
}

/** The paths of fields in `value` that are not among `known`. */
export function unknownFields(value: unknown, known: Fields, path: string): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((one, i) => unknownFields(one, known, `${path}[${i}]`));
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const at = path ? `${path}.${name}` : name;
    const fields = Object.hasOwn(known, name) ? known[name] : undefined;
    if (fields === undefined) return [at];
    return fields === true ? [] : unknownFields(inner, fields, at);
  });
}

/** Throws an Error that names what is not supported. */
export function mustKnow(value: unknown, known: Fields, path: string) {
  const unknown = unknownFields(value, known, path).sort();
  if (unknown.length > 0) throw new Error(`not supported here: ${unknown.join(", ")}`);
}
