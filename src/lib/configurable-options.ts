// The options of `kerb up` that a site may be given anew while workloads run on it: none of them moves what the
// site keeps, or where it is reached.

const single = [
  "eviction-hard",
  "eviction-pressure-transition-period",
  "image-gc-high-threshold",
  "image-gc-low-threshold",
  "shutdown-grace-period",
  "shutdown-grace-period-critical-pods",
  "autonomy-duration",
  "allowed-unsafe-sysctls",
];
const repeatable = ["registry-mirror", "insecure-registry"];

/** Options that are there or not. */
export const wingOptions = ["devices", "ingress", "gitops", "vms"];

export const configurableOptions = [...single, ...repeatable, ...wingOptions];

/** One value of an option; without one it is again what it is by itself. */
export interface Setting {
  option: string;
  value?: string;
}

/** Values by option, as on a command line. */
export type OptionValues = Record<string, string[]>;

/** Why one of them cannot be. */
function problemOf(option: string, values: string[]): string | undefined {
  if (!configurableOptions.includes(option)) {
    return `option ${option} cannot be changed here; those that can: ${configurableOptions.join(", ")}`;
  }
  if (values.length > 1 && !repeatable.includes(option)) return `option ${option} has one value`;
  if (wingOptions.includes(option) && values.some((one) => one !== "true" && one !== "false")) {
    return `option ${option} is true or false`;
  }
  return undefined;
}

/** All values of an option that is named take the place of those before. Throws an Error. Pure. */
export function changeOptions(before: OptionValues, settings: Setting[]): OptionValues {
  const named = Map.groupBy(settings, ({ option }) => option);
  const rest = Object.entries(before).filter(([option]) => !named.has(option));
  const changed = [...named].flatMap(([option, all]): [string, string[]][] => {
    const values = all.flatMap(({ value }) => value || []);
    const problem = problemOf(option, values);
    if (problem !== undefined) throw new Error(problem);
    return values.length > 0 ? [[option, values]] : [];
  });
  return Object.fromEntries([...rest, ...changed].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** As they are written on a command line. Pure. */
export const argumentsOf = (options: OptionValues): string[] =>
  Object.entries(options).flatMap(([option, values]) => {
    if (!wingOptions.includes(option)) return values.map((value) => `--${option}=${value}`);
    return values[0] === "true" ? [`--${option}`] : [];
  });

/** `eviction-hard=memory.available<200Mi, vms=true`. */
export const optionsText = (options: OptionValues): string =>
  Object.entries(options)
    .flatMap(([option, values]) => values.map((value) => `${option}=${value}`))
    .join(", ") || "no option";
