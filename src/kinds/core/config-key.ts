// The keys of ConfigMaps and Secrets, which become names of files.
const keyCharsMax = 253;
const pattern = /^[-._a-zA-Z0-9]+$/;
const patternWhy =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  " +
  "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/** Gives why `key` is none. */
export function configKey(key: string): string | undefined {
  if (key.length > keyCharsMax) return `must be no more than ${keyCharsMax} characters`;
  if (!pattern.test(key)) return patternWhy;
  if (key === "." || key === "..") return `must not be '${key}'`;
  return key.startsWith("..") ? "must not start with '..'" : undefined;
}
