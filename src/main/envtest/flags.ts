// Command lines of other programs: of their flags some are acted on, some mean nothing here and are said
// to, and all others are refused by name, as those programs do.

export interface FlagTable {
  /** Flag to what it does here. */
  used: Record<string, string>;
  /** Flags without a meaning here. */
  idle: string[];
  /** Of all these, those that need no value. */
  switches: string[];
}

export interface Flags {
  /** The last value given. */
  get(name: string): string | undefined;
  /** All values given, lists taken apart. */
  list(name: string): string[];
  /** Flags that were given and mean nothing here. */
  idle: string[];
}

/** Throws an Error that names the flag nobody knows. */
export function parseFlags(args: string[], table: FlagTable): Flags {
  const values = new Map<string, string[]>();
  for (let i = 0; i < args.length; i++) {
    const [, name = "", given] = /^--?([^=]+)(?:=([^]*))?$/.exec(args[i]!) ?? [];
    if (name === "") throw new Error(`unknown argument: ${args[i]}`);
    if (!(name in table.used) && !table.idle.includes(name)) {
      throw new Error(`unknown flag: --${name}`);
    }
    let value = given;
    if (value === undefined && table.switches.includes(name)) value = "true";
    if (value === undefined) value = args[++i];
    if (value === undefined) throw new Error(`flag needs an argument: --${name}`);
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  return {
    get: (name) => values.get(name)?.at(-1),
    list: (name) => (values.get(name) ?? []).flatMap((one) => one.split(",")).filter(Boolean),
    idle: [...values.keys()].filter((name) => table.idle.includes(name)),
  };
}

export function helpText(program: string, what: string, table: FlagTable): string {
  const lines = Object.entries(table.used).map(([name, does]) => `      --${name}   ${does}`);
  const idle = table.idle.map((name) => `      --${name}   (accepted, means nothing here)`);
  return [`${program}: ${what}`, "", "Flags:", ...lines, ...idle, ""].join("\n");
}
