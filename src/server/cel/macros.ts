// Macros that Kubernetes has and the evaluator lacks: those of optional values (optMap, optFlatMap), those
// that see index and element or key and value (ext.TwoVarComprehensions), and sortBy.
import { Optional, ParseError, type Environment } from "@marcbachmann/cel-js";
import { compareValues, equalValues } from "./libraries/values.ts";

interface Type {
  kind: string;
  name: string;
  valueType?: Type;
  keyType?: Type;
}

interface Checker {
  check(node: unknown, scope: Scope): Type;
  getType(name: string): Type;
}

interface Evaluator {
  run(node: unknown, scope: Scope): any;
}

/** A scope of variables, when it is checked and when it runs. */
interface Scope {
  forkWithVariable(name: string, type: Type): Scope;
  reuse(parent: Scope): Scope;
  setIterValue(value: unknown, evaluator: Evaluator): Scope;
}

/** A call with its variables and what is evaluated with them. */
interface Call {
  receiver: unknown;
  names: string[];
  bodies: unknown[];
  scopes: Scope[];
}

/** Evaluates one of the bodies, the first when none is said, with values for the variables. */
type Evaluate = (values: unknown[], body?: number) => any;

interface Macro {
  /** Types of the variables, by the receiver's type. */
  variables: (receiver: Type, any: Type) => Type[];
  result: string;
  /** What the call is worth. */
  value: (receiver: any, evaluate: Evaluate, bodies: number) => unknown;
}

function nameOf(node: any): string {
  if (node.op !== "id") throw new ParseError("argument must be a simple name");
  return node.args;
}

/** `signature`: `list.all` and the like; `arity`: how many of `args` are names, then how many are evaluated. */
function addMacro(
  environment: Environment,
  signature: string,
  arity: [names: number, bodies: number],
  { variables, result, value }: Macro,
) {
  const [names, bodies] = arity;
  const places = Array.from({ length: names + bodies }, () => "ast").join(", ");
  const typeCheck = (checker: Checker, call: Call, scope: Scope) => {
    const types = variables(checker.check(call.receiver, scope), checker.getType("dyn"));
    let inner = scope;
    call.scopes = call.names.map((name, i) => (inner = inner.forkWithVariable(name, types[i]!)));
    for (const body of call.bodies) checker.check(body, inner);
    return checker.getType(result);
  };
  const evaluate = (evaluator: Evaluator, call: Call, scope: Scope) =>
    value(
      evaluator.run(call.receiver, scope),
      (values, body = 0) => {
        let inner = scope;
        for (const [i, one] of call.scopes.entries()) {
          inner = one.reuse(inner).setIterValue(values[i], evaluator);
        }
        return evaluator.run(call.bodies[body], inner);
      },
      bodies,
    );
  environment.registerFunction(`${signature}(${places}): ${result}`, ((found: any) => ({
    receiver: found.receiver,
    names: found.args.slice(0, names).map(nameOf),
    bodies: found.args.slice(names),
    scopes: [],
    typeCheck,
    evaluate,
    async: false,
  })) as never);
}

/** Zero, empty, false and null are no values to `ofNonZeroValue`. */
function isZero(value: any): boolean {
  if (value === null || value === false || value === "") return true;
  if (typeof value !== "object") return Number(value) === 0;
  if (value instanceof Map) return value.size === 0;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  return Object.keys(value).length === 0 && Object.getPrototypeOf(value) === Object.prototype;
}

const sameOptional = (a: Optional, b: Optional) =>
  a.hasValue() && b.hasValue() ? equalValues(a.value(), b.value()) : a.hasValue() === b.hasValue();

function addOptional(environment: Environment) {
  environment.registerFunction(
    "OptionalNamespace.ofNonZeroValue(dyn): optional<dyn>",
    (_: unknown, value: unknown) => (isZero(value) ? Optional.none() : Optional.of(value)),
  );
  environment.registerOperator("optional == optional", sameOptional);
  const variables: Macro["variables"] = ({ kind, valueType }, any) => [
    kind === "optional" && valueType ? valueType : any,
  ];
  const result = "optional<dyn>";
  addMacro(environment, "optional.optMap", [1, 1], {
    variables,
    result,
    value: (found: Optional, evaluate) =>
      found.hasValue() ? Optional.of(evaluate([found.value()])) : found,
  });
  addMacro(environment, "optional.optFlatMap", [1, 1], {
    variables,
    result,
    value: (found: Optional, evaluate) => (found.hasValue() ? evaluate([found.value()]) : found),
  });
}

/** Index and element of a list, key and value of a map. */
function pairsOf(value: any): [unknown, unknown][] {
  if (Array.isArray(value)) return value.map((one, i) => [BigInt(i), one]);
  if (value instanceof Map) return [...value];
  return Object.entries(value);
}

const pairTypes: Macro["variables"] = ({ kind, keyType, valueType }, any) =>
  kind === "map" ? [keyType ?? any, valueType ?? any] : [any, valueType ?? any];

/** Errors count only when no element decides, as with the macros of one variable. */
function quantify(receiver: any, evaluate: Evaluate, decisive: boolean): boolean {
  let failure: { error: unknown } | undefined;
  for (const pair of pairsOf(receiver)) {
    try {
      if (evaluate(pair) === decisive) return decisive;
    } catch (error) {
      failure ??= { error };
    }
  }
  if (failure) throw failure.error;
  return !decisive;
}

/** The pairs that the first of two bodies, a filter, lets through. */
const wanted = (receiver: any, evaluate: Evaluate, bodies: number) =>
  pairsOf(receiver).filter((pair) => bodies === 1 || evaluate(pair, 0) === true);

function addPairs(environment: Environment) {
  const add = (name: string, bodies: number, result: string, value: Macro["value"]) =>
    addMacro(environment, `list.${name}`, [2, bodies], { variables: pairTypes, result, value });
  add("all", 1, "bool", (receiver, evaluate) => quantify(receiver, evaluate, false));
  add("exists", 1, "bool", (receiver, evaluate) => quantify(receiver, evaluate, true));
  for (const name of ["exists_one", "existsOne"]) {
    add(name, 1, "bool", (receiver, evaluate) => {
      return pairsOf(receiver).filter((pair) => evaluate(pair) === true).length === 1;
    });
  }
  for (const bodies of [1, 2]) {
    add("transformList", bodies, "list<dyn>", (receiver, evaluate) =>
      wanted(receiver, evaluate, bodies).map((pair) => evaluate(pair, bodies - 1)),
    );
    add("transformMap", bodies, "map<dyn, dyn>", (receiver, evaluate) => {
      const pairs = wanted(receiver, evaluate, bodies);
      return new Map(pairs.map((pair) => [pair[0], evaluate(pair, bodies - 1)]));
    });
    add("transformMapEntry", bodies, "map<dyn, dyn>", (receiver, evaluate) => {
      const made = new Map<unknown, unknown>();
      for (const pair of wanted(receiver, evaluate, bodies)) {
        for (const [key, value] of pairsOf(evaluate(pair, bodies - 1))) {
          if (made.has(key)) throw new Error(`insert failed: key ${String(key)} already exists`);
          made.set(key, value);
        }
      }
      return made;
    });
  }
}

export function addMacros(environment: Environment) {
  addOptional(environment);
  addPairs(environment);
  addMacro(environment, "list.sortBy", [1, 1], {
    variables: ({ valueType }, any) => [valueType ?? any],
    result: "list<dyn>",
    value: (list: unknown[], evaluate) =>
      list
        .map((one) => ({ one, key: evaluate([one]) }))
        .sort((a, b) => compareValues(a.key, b.key))
        .map(({ one }) => one),
  });
}
