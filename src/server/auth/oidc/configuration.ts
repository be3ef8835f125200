// How people say who else may name users: AuthenticationConfiguration of apiserver.config.k8s.io/v1 (KEP-3331).
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration
import { fields, flag, list, oneOf, text } from "../../../lib/shape.ts";
import type { Shape } from "../../../lib/shape.ts";

export interface ClaimOrExpression {
  claim?: string;
  /** Before the claim's value; may be empty, must be said. */
  prefix?: string;
  expression?: string;
}

export interface JwtAuthenticator {
  issuer: {
    url: string;
    discoveryURL?: string;
    /** PEM. */
    certificateAuthority?: string;
    audiences: string[];
    audienceMatchPolicy?: string;
  };
  claimValidationRules?: {
    claim?: string;
    requiredValue?: string;
    expression?: string;
    message?: string;
  }[];
  claimMappings: {
    username: ClaimOrExpression;
    groups?: ClaimOrExpression;
    uid?: { claim?: string; expression?: string };
    extra?: { key: string; valueExpression: string }[];
  };
  userValidationRules?: { expression: string; message?: string }[];
}

export interface AuthenticationConfiguration {
  jwt?: JwtAuthenticator[];
  anonymous?: { enabled: boolean; conditions?: { path: string }[] };
}

const authenticatorsMax = 64;

const https: Shape = (value, at) => {
  if (typeof value !== "string") return [`${at}: must be a string`];
  if (!URL.canParse(value)) return [`${at}: must be a URL`];
  const { protocol, username, search, hash } = new URL(value);
  if (protocol !== "https:") return [`${at}: URL scheme must be https`];
  if (username) return [`${at}: URL must not contain a username or password`];
  return search || hash ? [`${at}: URL must not contain a query or a fragment`] : [];
};

/** Either a claim, with a prefix where `prefixed`, or an expression. */
const claimOr =
  (isPrefixed: boolean): Shape =>
  (value, at) => {
    const known = { claim: text, expression: text, ...(isPrefixed && { prefix: text }) };
    const problems = fields(known)(value, at);
    if (problems.length > 0) return problems;
    const { claim, prefix, expression } = value;
    if (claim && expression) return [`${at}: claim and expression can't both be set`];
    if (!claim && !expression) return [`${at}: claim or expression is required`];
    if (expression && prefix !== undefined) {
      return [`${at}: prefix can't be set when expression is set`];
    }
    const lacks = isPrefixed && claim && prefix === undefined;
    return lacks ? [`${at}.prefix: required when claim is set; it may be empty`] : [];
  };

const notEmpty: Shape = (value, at) =>
  Array.isArray(value) && value.length === 0 ? [`${at}: at least one is required`] : [];

const issuerFields = fields(
  {
    url: https,
    discoveryURL: https,
    certificateAuthority: text,
    audiences: list(text),
    audienceMatchPolicy: oneOf(["", "MatchAny"]),
  },
  ["url", "audiences"],
);

const issuer: Shape = (value, at) => {
  const problems = [...issuerFields(value, at), ...notEmpty(value?.audiences, `${at}.audiences`)];
  if (problems.length > 0) return problems;
  if (value.audiences.length > 1 && value.audienceMatchPolicy !== "MatchAny") {
    return [`${at}.audienceMatchPolicy: must be MatchAny for several audiences`];
  }
  const same = value.discoveryURL === value.url;
  return same ? [`${at}.discoveryURL: must be different from url`] : [];
};

const claimRule: Shape = (rule, at) => {
  const known = { claim: text, requiredValue: text, expression: text, message: text };
  const problems = fields(known)(rule, at);
  if (problems.length > 0) return problems;
  if (!rule.claim === !rule.expression) return [`${at}: give either claim or expression`];
  const mixed = rule.expression ? rule.requiredValue !== undefined : rule.message !== undefined;
  return mixed ? [`${at}: requiredValue belongs to claim, message to expression`] : [];
};

/** As upstream: a domain, a slash, a path, all in lower case, and none of Kubernetes' own domains. */
const extraKey: Shape = (value, at) => {
  const [domain = ""] = String(value).split("/");
  if (!/^[a-z0-9.-]+\/[a-z0-9/._~-]+$/.test(value)) {
    return [`${at}: must be a lower-case domain-prefixed path (such as example.org/foo)`];
  }
  const isReserved = ["k8s.io", "kubernetes.io"].some(
    (own) => domain === own || domain.endsWith(`.${own}`),
  );
  return isReserved ? [`${at}: k8s.io and kubernetes.io are reserved`] : [];
};

const jwtFields = fields(
  {
    issuer,
    claimValidationRules: list(claimRule),
    claimMappings: fields(
      {
        username: claimOr(true),
        groups: claimOr(true),
        uid: claimOr(false),
        extra: list(fields({ key: extraKey, valueExpression: text }, ["key", "valueExpression"])),
      },
      ["username"],
    ),
    userValidationRules: list(fields({ expression: text, message: text }, ["expression"])),
  },
  ["issuer", "claimMappings"],
);

const verified = /claims\s*(\.\s*email_verified|\[\s*['"]email_verified['"]\s*\])/;
const email = /claims\s*(\.\s*email\b|\[\s*['"]email['"]\s*\])/;

/** Whoever takes an address for a name must look whether it was verified. */
const emailIsVerified: Shape = (value, at) => {
  const expression = value?.claimMappings?.username?.expression;
  if (typeof expression !== "string" || !email.test(expression)) return [];
  const rules = (value.claimValidationRules ?? []).map((rule: any) => rule?.expression ?? "");
  if ([expression, ...rules].some((one) => verified.test(one))) return [];
  const where = `${at}.claimMappings.username.expression`;
  return [`${where}: claims.email_verified must be used there or in a claimValidationRule`];
};

const jwt: Shape = (value, at) => [...jwtFields(value, at), ...emailIsVerified(value, at)];

const paths: Shape = (value, at) =>
  typeof value === "string" && value.startsWith("/") ? [] : [`${at}: must be a path`];

const versions = ["v1", "v1beta1", "v1alpha1"].map((one) => `apiserver.config.k8s.io/${one}`);

const document = fields(
  {
    apiVersion: oneOf(versions),
    kind: oneOf(["AuthenticationConfiguration"]),
    jwt: list(jwt),
    anonymous: fields({ enabled: flag, conditions: list(fields({ path: paths }, ["path"])) }, [
      "enabled",
    ]),
  },
  ["apiVersion", "kind"],
);

function acrossErrors({ jwt: all = [], anonymous }: AuthenticationConfiguration): string[] {
  const problems: string[] = [];
  if (all.length > authenticatorsMax) problems.push(`jwt: must have at most ${authenticatorsMax}`);
  for (const field of ["url", "discoveryURL"] as const) {
    const seen = new Set<string>();
    for (const [i, { issuer: one }] of all.entries()) {
      const value = one[field];
      if (value && seen.has(value)) problems.push(`jwt[${i}].issuer.${field}: is there twice`);
      if (value) seen.add(value);
    }
  }
  const pointless = anonymous?.enabled === false && anonymous.conditions;
  if (pointless) problems.push("anonymous.conditions: mean nothing when enabled is false");
  return problems;
}

/** Throws an Error that names every field that is wrong. Expressions are judged by `compileClaims`. */
export function readConfiguration(parsed: unknown): AuthenticationConfiguration {
  const problems = document(parsed, "");
  if (problems.length === 0) problems.push(...acrossErrors(parsed as AuthenticationConfiguration));
  if (problems.length === 0) return parsed as AuthenticationConfiguration;
  throw new Error(`the authentication configuration is invalid: ${problems.join("; ")}`);
}
