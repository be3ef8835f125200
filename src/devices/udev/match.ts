// Which devices a rule chooses. As in Akri, what libudev's enumerator can look for is a shell pattern, and all
// else is a regular expression that covers the whole value. Pure but for the device it asks.
import { RE2JS } from "re2js";
import { DetailsError } from "../discovery/handler.ts";
import type { Rule, Term } from "./rules.ts";

export interface UdevDevice {
  /** Below `/sys`: `/devices/virtual/mem/null`. */
  devpath: string;
  kernel: string;
  subsystem: string | undefined;
  driver: string | undefined;
  /** `/dev/null`. */
  devnode: string | undefined;
  env(): ReadonlyMap<string, string>;
  tags(): ReadonlySet<string>;
  attribute(name: string): string | undefined;
  parent(): UdevDevice | undefined;
}

/** A shell pattern (fnmatch) as a regular expression. */
export function globPattern(glob: string): string {
  let pattern = "";
  for (let i = 0; i < glob.length; i++) {
    const letter = glob[i]!;
    const end = letter === "[" ? glob.indexOf("]", i + 2) : -1;
    if (letter === "*") pattern += ".*";
    else if (letter === "?") pattern += ".";
    else if (end > 0) {
      const inside = glob
        .slice(i + 1, end)
        .replace(/^!/, "^")
        .replaceAll("\\", "\\\\");
      pattern += `[${inside}]`;
      i = end;
    } else if (letter === "\\" && i + 1 < glob.length) pattern += RE2JS.quote(glob[++i]!);
    else pattern += RE2JS.quote(letter);
  }
  return pattern;
}

const enumerated = new Set(["DEVPATH", "KERNEL", "TAG", "SUBSYSTEM", "ATTR", "ENV"]);
const enumeratedNot = new Set(["ATTR", "SUBSYSTEM"]);

const isGlob = ({ field, negated }: Term) => (negated ? enumeratedNot : enumerated).has(field);

function compile(term: Term): (value: string) => boolean {
  const pattern = isGlob(term) ? globPattern(term.value) : term.value;
  try {
    const compiled = RE2JS.compile(pattern, RE2JS.DOTALL);
    return (value) => compiled.matches(value);
  } catch (error) {
    const { message } = error as Error;
    throw new DetailsError(`udev rule: ${JSON.stringify(term.value)}: ${message}`);
  }
}

type Holds = (device: UdevDevice) => boolean;

function* selfAndParents(device: UdevDevice) {
  for (let one: UdevDevice | undefined = device; one; one = one.parent()) yield one;
}

/** The values of a device that a field speaks of. */
function valuesOf({ field, key }: Term, device: UdevDevice): string[] {
  const some = (value: string | undefined) => (value === undefined ? [] : [value]);
  switch (field) {
    case "DEVPATH":
      return [device.devpath];
    case "KERNEL":
    case "KERNELS":
      return [device.kernel];
    case "SUBSYSTEM":
    case "SUBSYSTEMS":
      return some(device.subsystem);
    case "DRIVER":
    case "DRIVERS":
      return some(device.driver);
    case "TAG":
    case "TAGS":
      return [...device.tags()];
    case "ENV":
      return some(device.env().get(key));
    case "ATTR":
    case "ATTRS":
      return some(device.attribute(key));
  }
}

const plural = new Set(["ATTRS", "DRIVERS", "KERNELS", "SUBSYSTEMS", "TAGS"]);

function holdsTerm(term: Term): Holds {
  const matches = compile(term);
  return (device) => {
    const asked = plural.has(term.field) ? selfAndParents(device) : [device];
    for (const one of asked) if (valuesOf(term, one).some(matches)) return !term.negated;
    return term.negated;
  };
}

/** True for devices that one of the rules chooses. Throws DetailsError. */
export function chooser(rules: Rule[]): Holds {
  const compiled = rules.map((rule) => rule.map(holdsTerm));
  return (device) => compiled.some((rule) => rule.every((holds) => holds(device)));
}
