// Names of fields as expressions can say them (the escaping of x-kubernetes-validations).

const reserved = new Set(
  (
    "true false null in as break const continue else for function if import let loop package " +
    "namespace return var void while"
  ).split(" "),
);

const words: [pattern: RegExp, word: string][] = [
  [/__/g, "__underscores__"],
  [/\./g, "__dot__"],
  [/-/g, "__dash__"],
  [/\//g, "__slash__"],
];

/** None for names that no expression can say; a reserved word is also known as it is. */
export function celNames(name: string): string[] {
  if (reserved.has(name)) return [`__${name}__`, name];
  const escaped = words.reduce((text, [pattern, word]) => text.replace(pattern, word), name);
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(escaped) ? [escaped] : [];
}
