// Claims of a token that is genuine, as a user. Rules and mappings are compiled once.
import type { User } from "../../request.ts";
import { loadCel } from "../../cel/load.ts";
import type { CelProgram } from "../../cel/compile.ts";
import { toJson } from "../../cel/to-json.ts";
import type { ClaimOrExpression, JwtAuthenticator } from "./configuration.ts";

export type Claims = Record<string, unknown>;

/** A token that says something else than is asked for. */
export class ClaimsRefused extends Error {}

type Compile = (expression: string, at: string, results?: string[]) => CelProgram;

const authenticated = "system:authenticated";

async function compilers() {
  const { CelScope } = await loadCel();
  const noSchema = (name: string) => {
    throw new Error(`no schema of ${name} is needed here`);
  };
  const compilerOf =
    (variable: string): Compile =>
    (expression, at, results) => {
      const compiled = new CelScope(noSchema).declare(variable).compile(expression, results);
      if ("program" in compiled) return compiled.program;
      throw new Error(`${at}: compilation failed: ${compiled.error}`);
    };
  return { ofClaims: compilerOf("claims"), ofUser: compilerOf("user") };
}

const textOf = (value: unknown, what: string): string => {
  if (typeof value === "string") return value;
  throw new ClaimsRefused(`${what} is not a string`);
};

/** One string or several; nothing for what is empty or not there. */
function textsOf(value: unknown, what: string): string[] {
  if (value === undefined || value === null || value === "") return [];
  const all = Array.isArray(value) ? value : [value];
  return all.map((one) => textOf(one, what)).filter((one) => one !== "");
}

type Read = (claims: Claims) => unknown;

function reader(mapping: ClaimOrExpression | undefined, at: string, compile: Compile): Read {
  if (!mapping) return () => undefined;
  const { claim, expression } = mapping;
  if (claim) return (claims) => claims[claim];
  const program = compile(expression!, `${at}.expression`);
  return (claims) => toJson(program.evaluate({ claims }));
}

function usernameOf(
  { username }: JwtAuthenticator["claimMappings"],
  read: Read,
): (c: Claims) => string {
  return (claims) => {
    // A verified address, or one of an issuer that does not say: as upstream.
    const isEmail = username.claim === "email" && claims["email_verified"] !== undefined;
    if (isEmail && claims["email_verified"] !== true) throw new ClaimsRefused("email not verified");
    const name = textOf(read(claims), "the username");
    if (name === "") throw new ClaimsRefused("the username is empty");
    return (username.prefix ?? "") + name;
  };
}

function rulesOf(rules: JwtAuthenticator["claimValidationRules"], at: string, compile: Compile) {
  return (rules ?? []).map(({ claim, requiredValue = "", expression, message }, i) => {
    if (claim) {
      return (claims: Claims) => {
        if (claims[claim] === requiredValue) return;
        throw new ClaimsRefused(`claim ${claim} is not what is required`);
      };
    }
    const program = compile(expression!, `${at}[${i}].expression`, ["bool"]);
    return (claims: Claims) => {
      if (program.evaluate({ claims }) === true) return;
      throw new ClaimsRefused(message || `the rule ${expression} does not hold`);
    };
  });
}

/** What makes a user of claims: it throws ClaimsRefused. Throws an Error for an expression that is wrong. */
export async function compileClaims(
  { claimMappings, claimValidationRules, userValidationRules = [] }: JwtAuthenticator,
  at: string,
): Promise<(claims: Claims) => User> {
  const { ofClaims, ofUser } = await compilers();
  const { username, groups, uid, extra = [] } = claimMappings;
  const under = `${at}.claimMappings`;
  const rules = rulesOf(claimValidationRules, `${at}.claimValidationRules`, ofClaims);
  const name = usernameOf(claimMappings, reader(username, `${under}.username`, ofClaims));
  const readGroups = reader(groups, `${under}.groups`, ofClaims);
  const readUid = reader(uid, `${under}.uid`, ofClaims);
  const extras = extra.map(({ key, valueExpression }, i) => {
    const program = ofClaims(valueExpression, `${under}.extra[${i}].valueExpression`);
    return { key, read: (claims: Claims) => toJson(program.evaluate({ claims })) };
  });
  const userRules = userValidationRules.map(({ expression, message }, i) => {
    const where = `${at}.userValidationRules[${i}].expression`;
    return { program: ofUser(expression, where, ["bool"]), message: message || expression };
  });
  return (claims) => {
    for (const rule of rules) rule(claims);
    const user: User = {
      name: name(claims),
      groups: textsOf(readGroups(claims), "a group").map((one) => (groups?.prefix ?? "") + one),
    };
    const id = readUid(claims);
    if (id !== undefined && id !== "") user.uid = textOf(id, "the uid");
    for (const { key, read } of extras) {
      const values = textsOf(read(claims), key);
      if (values.length > 0) (user.extra ??= {})[key] = values;
    }
    const shown = { username: user.name, groups: user.groups, uid: user.uid ?? "" };
    for (const { program, message } of userRules) {
      const holds = program.evaluate({ user: { ...shown, extra: user.extra ?? {} } });
      if (holds !== true) throw new ClaimsRefused(message);
    }
    return { ...user, groups: [...new Set([...user.groups, authenticated])] };
  };
}
