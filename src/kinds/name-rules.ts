// Ways to judge names and other short texts, in upstream's wording (apimachinery validation).

/** Every reason why `text` is none; nothing when it is one. */
export type NameRule = (text: string) => readonly string[];

const none: readonly string[] = Object.freeze([]);

interface Form {
  pattern: string;
  why: string;
  examples: string[];
  max?: number;
  /** What the length is told in; newer rules of upstream say bytes. */
  unit?: "characters" | "bytes";
}

/** A form as upstream tells it: what is wrong, examples, the pattern. */
const told = ({ why, examples, pattern }: Form) =>
  `${why} (e.g. ${examples.map((one) => `'${one}', `).join(" or ")}regex used for validation is '${pattern}')`;

function formed(form: Form): NameRule {
  const { pattern, max = Number.POSITIVE_INFINITY, unit = "characters" } = form;
  const whole = new RegExp(`^(?:${pattern})$`);
  const tooLong = `must be no more than ${max} ${unit}`;
  const why = told(form);
  return (text) => {
    if (text.length <= max && whole.test(text)) return none;
    if (text.length <= max) return [why];
    return whole.test(text) ? [tooLong] : [tooLong, why];
  };
}

const labelPattern = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomainPattern = `${labelPattern}(\\.${labelPattern})*`;

export const dnsSubdomain = formed({
  pattern: subdomainPattern,
  why:
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start " +
    "and end with an alphanumeric character",
  examples: ["example.com"],
  max: 253,
});

const label = formed({
  pattern: labelPattern,
  why:
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end " +
    "with an alphanumeric character",
  examples: ["my-name", "123-abc"],
  max: 63,
});
const isSubdomain = new RegExp(`^${subdomainPattern}$`);

export const dnsLabel: NameRule = (text) => {
  const reasons = label(text);
  if (reasons.length === 0 || !text.includes(".") || !isSubdomain.test(text)) return reasons;
  return [...reasons.slice(0, -1), "must not contain dots"];
};

export const serviceName = formed({
  pattern: "[a-z]([-a-z0-9]*[a-z0-9])?",
  why:
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, " +
    "and end with an alphanumeric character",
  examples: ["my-name", "abc-123"],
  max: 63,
});

export const wildcardSubdomain = formed({
  pattern: `\\*\\.${subdomainPattern}`,
  why:
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of " +
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  examples: ["*.example.com"],
  max: 253,
});

/** A DNS name of which some providers make odd ones. */
export const looseSubdomain = formed({
  pattern: "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*",
  why:
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must " +
    "start and end with an alphanumeric character",
  examples: ["example.com"],
  max: 253,
});

export const headerName = formed({
  pattern: "[-A-Za-z0-9]+",
  why: "a valid HTTP header must consist of alphanumeric characters or '-'",
  examples: ["X-Header-Name"],
});

const keyPattern = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

export const labelValue = formed({
  pattern: `(${keyPattern})?`,
  why:
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and " +
    "end with an alphanumeric character",
  examples: ["MyValue", "my_value", "12345"],
  max: 63,
  unit: "bytes",
});

const keyForm = {
  pattern: keyPattern,
  why: "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  examples: ["MyName", "my.name", "123-abc"],
  max: 63,
  unit: "bytes" as const,
};
const keyName = formed(keyForm);
const keyWhy = told(keyForm);

const of = (part: string, reasons: readonly string[]) =>
  reasons.map((why) => `${part} part ${why}`);

/** A name that may have a domain before it, as keys of labels do. */
export const qualifiedName: NameRule = (text) => {
  const [first = "", second, ...more] = text.split("/");
  if (more.length > 0) {
    const domain = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
    return [`a valid label key ${keyWhy} ${domain}`];
  }
  const name = second ?? first;
  const reasons = name === "" ? ["must be non-empty", keyWhy] : keyName(name);
  if (second === undefined) return reasons.length === 0 ? none : of("name", reasons);
  const before = first === "" ? ["must be non-empty"] : dnsSubdomain(first);
  if (before.length === 0 && reasons.length === 0) return none;
  return [...of("prefix", before), ...of("name", reasons)];
};

const configKeyForm = formed({
  pattern: "[-._a-zA-Z0-9]+",
  why: "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  examples: ["key.name", "KEY_NAME", "key-name"],
  max: 253,
});

/** The keys of ConfigMaps and Secrets, which become names of files. */
export const configKey: NameRule = (text) => {
  const reasons = configKeyForm(text);
  if (!text.startsWith("..") && text !== ".") return reasons;
  const why = text.length < 3 ? `must not be '${text}'` : "must not start with '..'";
  return [...reasons, why];
};

const variableWhy =
  "a valid environment variable name must consist only of printable ASCII characters other than '='";

export const variableName: NameRule = (text) => {
  if (text === "") return ["environment variable name must be non-empty"];
  return /^[ -<>-~]+$/.test(text) ? none : [variableWhy];
};

/** What may be a port's name (an IANA_SVC_NAME). */
export const portName: NameRule = (text) => {
  const wrong: [boolean, string][] = [
    [text.length > 15, "must be no more than 15 characters"],
    [
      !/^[-a-z0-9]+$/.test(text),
      "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    ],
    [!/[a-z]/.test(text), "must contain at least one letter (a-z)"],
    [text.includes("--"), "must not contain consecutive hyphens"],
    [/^-|-$/.test(text), "must not begin or end with a hyphen"],
  ];
  return wrong.filter(([is]) => is).map(([, why]) => why);
};

/** For kinds whose names are only parts of paths, as RBAC's. */
export const pathSegment: NameRule = (text) => {
  if (text === "." || text === "..") return [`may not be '${text}'`];
  return ["/", "%"].filter((one) => text.includes(one)).map((one) => `may not contain '${one}'`);
};
