// Compiles and runs expressions in Kubernetes' dialect of CEL. The evaluator is bought; Kubernetes' libraries,
// the types made of schemas and the budget are ours. Loaded by the first expression that a site meets.
import { Environment, type ASTNode } from "@marcbachmann/cel-js";
import type { Definitions, Schema } from "../../kinds/schema.ts";
import { meterAll, stepsMax, within } from "./budget.ts";
import { addConversions } from "./libraries/conversions.ts";
import { addMacros } from "./macros.ts";
import { checkHasOurWay } from "./has.ts";
import { estimate, estimateMax } from "./estimate.ts";
import { addAuthorizer, authorizerType } from "./libraries/authorizer.ts";
import { addFormat } from "./libraries/format.ts";
import { addIp } from "./libraries/ip.ts";
import { addLists } from "./libraries/lists.ts";
import { addQuantity } from "./libraries/quantity.ts";
import { addRegex, linearMatches } from "./libraries/regex.ts";
import { addSemver } from "./libraries/semver.ts";
import { addStrings } from "./libraries/strings.ts";
import { addUrl } from "./libraries/url.ts";
import { dynamicValue, Types, type CelType } from "./types.ts";

/** Longest expression that is read. */
const expressionCharsMax = 65_536;
const limits = { maxAstNodes: 20_000, maxDepth: 200 };

export interface CelProgram {
  /** `bool`, `string`, ...; `dyn` when only running it tells. */
  resultType: string;
  /** True when it is but a path from a variable, of which nothing more is known than that. */
  isPath: boolean;
  /** True when the expression names the variable. */
  uses(variable: string): boolean;
  /** JSON values by variable; throws a plain Error, or BudgetSpent. */
  evaluate(bindings: Record<string, unknown>, steps?: number): unknown;
}

/** `offset`: where in the expression the error is, when that is known. */
export type Compiled = { program: CelProgram } | { error: string; offset?: number };

function makeBase(): Environment {
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits,
  });
  const optional = {
    some: environment.parse("optional.of(x)"),
    none: environment.parse("optional.none()"),
  };
  addMacros(environment);
  addConversions(environment);
  addAuthorizer(environment);
  addLists(environment);
  addRegex(environment);
  addQuantity(environment);
  addUrl(environment);
  addIp(environment);
  addSemver(environment);
  addStrings(environment);
  const holder = environment.clone();
  holder.registerVariable("x", "dyn");
  const some = holder.parse("optional.of(x)");
  addFormat(holder, { some: (x) => some({ x }), none: () => optional.none({}) });
  return holder;
}

let base: Environment | undefined;
const baseEnvironment = () => (base ??= makeBase());

const isNode = (value: unknown): value is ASTNode =>
  typeof value === "object" && value !== null && "op" in value && "args" in value;

/** Visits every node, parents first. */
function walk(value: unknown, visit: (node: any) => void) {
  if (Array.isArray(value)) {
    for (const one of value) walk(one, visit);
  } else if (isNode(value)) {
    visit(value);
    walk(value.args, visit);
  }
}

/** `a.b[0].c` */
function isPath(node: any): boolean {
  if (!isNode(node)) return false;
  const { op, args } = node as { op: string; args: any };
  return op === "id" || ((op === "." || op === "[]") && isPath(args[0]));
}

/** Users' patterns run in linear time, whatever the evaluator's own `matches` does. */
function useLinearMatches(ast: unknown) {
  walk(ast, (node) => {
    if ((node.op === "rcall" || node.op === "call") && node.args[0] === "matches") {
      node.args[0] = linearMatches;
    }
  });
}

/** The evaluator's messages that have other words in Kubernetes. */
const phrases: [found: RegExp, told: string][] = [
  [/^No such key: (.*)$/, "undefined field '$1'"],
  [/^Unknown variable: (.*)$/, "undeclared reference to '$1' (in container '')"],
  [/^no such overload: (.*)$/, "found no matching overload for '$1'"],
  [/^(Unexpected .*)$/, "Syntax error: $1"],
];

function told(error: unknown): string {
  const [first = ""] = String((error as Error)?.message ?? error).split("\n");
  return phrases.reduce((text, [found, words]) => text.replace(found, words), first);
}

function refused(error: unknown): Compiled {
  const { node } = error as { node?: { op: string; pos: number } };
  // Of a selection upstream shows the dot, the evaluator the name behind it.
  const offset = node && (node.op === "." ? node.pos - 1 : node.pos);
  return { error: told(error), ...(offset !== undefined && { offset }) };
}

const overBudget = (cost: number) =>
  `estimated rule cost exceeds budget by factor of ${(cost / estimateMax).toFixed(1)}x (try simplifying ` +
  "the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)";

/** What expressions of one place may name. */
export class CelScope {
  readonly #environment: Environment;
  readonly #types: Types;
  readonly #variables = new Map<string, CelType>();
  readonly #schemas = new Map<string, Schema | undefined>();

  constructor(definitions: Definitions, options: { wholeMetadata?: boolean } = {}) {
    this.#environment = baseEnvironment().clone();
    this.#types = new Types(this.#environment, definitions, options);
  }

  /** A variable with the type of a schema; without one of any type. */
  declare(name: string, schema?: Schema) {
    const type = schema ? this.#types.of(schema) : { name: "dyn", value: dynamicValue };
    this.#environment.registerVariable(name, type.name);
    this.#variables.set(name, type);
    this.#schemas.set(name, schema);
    return this;
  }

  /** A variable of a type that `make` adds to the environment. */
  declareOwn(name: string, make: (environment: Environment) => CelType) {
    const type = make(this.#environment);
    this.#environment.registerVariable(name, type.name);
    this.#variables.set(name, type);
    return this;
  }

  /** `authorizer`; its value is made by `authorizerOf`. */
  declareAuthorizer() {
    this.#environment.registerVariable("authorizer", authorizerType);
    this.#variables.set("authorizer", { name: authorizerType, value: (value) => value });
    return this;
  }

  /** A variable of any type whose values are CEL's own: results of other programs. */
  declareResult(name: string) {
    this.#environment.registerVariable(name, "dyn");
    this.#variables.set(name, { name: "dyn", value: (value) => value });
    return this;
  }

  /** A variable with just these fields, by their types' names. */
  declareFields(name: string, fields: Record<string, string>) {
    const type = `Fields_${name}`;
    this.#environment.registerType(type, { ctor: class {}, fields } as never);
    this.#environment.registerVariable(name, type);
    return this;
  }

  /** Adds functions that only this place has. */
  extend(add: (environment: Environment) => void) {
    add(this.#environment);
    return this;
  }

  /** `results`: the types the expression may have; absent: any. */
  compile(expression: string | undefined, results?: string[]): Compiled {
    if (!expression) return { error: "an expression is needed" };
    if (expression.length > expressionCharsMax) return { error: "the expression is too long" };
    try {
      const run = this.#environment.parse(expression);
      const used = new Set<string>();
      useLinearMatches(run.ast);
      walk(run.ast, checkHasOurWay);
      walk(run.ast, ({ op, args }) => op === "id" && used.add(args));
      const checked = run.check();
      if (!checked.valid) return refused(checked.error);
      const resultType = checked.type ?? "dyn";
      const [outer = ""] = resultType.split("<");
      if (results && outer !== "dyn" && !results.includes(outer)) {
        return { error: `must evaluate to ${results.join(" or ")}` };
      }
      const cost = estimate(run.ast, this.#schemas);
      if (cost > estimateMax) return { error: overBudget(cost) };
      meterAll(run.ast);
      return { program: this.#program(run, resultType, used) };
    } catch (error) {
      return refused(error);
    }
  }

  #program(run: (context: any) => unknown, resultType: string, used: Set<string>): CelProgram {
    const variables = [...this.#variables].filter(([name]) => used.has(name));
    return {
      resultType,
      isPath: isPath((run as { ast?: unknown }).ast),
      uses: (variable) => used.has(variable),
      evaluate: (bindings, steps = stepsMax) => {
        const context: Record<string, unknown> = {};
        for (const [name, type] of variables) {
          const json = bindings[name];
          if (json !== undefined) context[name] = json === null ? null : type.value(json);
        }
        return within(steps, () => run(context));
      },
    };
  }
}
