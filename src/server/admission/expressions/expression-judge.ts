// Judges expressions when they are written, more strictly than they are run: what an expression names has to be
// declared, with its type, and the result has to be what its place takes. Of an object of any kind nothing is known.
import type { CelScope } from "../../cel/compile.ts";
import { shownError } from "../../cel/shown-error.ts";
import { invalidValue } from "../../../kinds/field-checks.ts";
import type { FieldError } from "../../../lib/status-error.ts";
import { namespaceSchema, requestSchema } from "./request-schema.ts";

type Cel = typeof import("../../cel/compile.ts");

export interface Place {
  hasParams?: boolean;
  hasAuthorizer?: boolean;
}

const noDefinitions = (name: string) => {
  throw new Error(`no schema of ${name} is needed here`);
};

/** As upstream's compiler names types. */
const shownType = (name: string) =>
  name
    .replaceAll("<", "(")
    .replaceAll(">", ")")
    .replace(/\bnull\b/, "null_type")
    .replaceAll("google.protobuf.Timestamp", "timestamp")
    .replaceAll("google.protobuf.Duration", "duration");

export class ExpressionJudge {
  readonly #cel: Cel;
  readonly #scopes = new Map<string, CelScope>();
  /** Types of `variables` by their names; absent where an object has none. */
  #variables: Record<string, string> | undefined;

  constructor(cel: Cel, { hasVariables = false }: { hasVariables?: boolean } = {}) {
    this.#cel = cel;
    if (hasVariables) this.#variables = {};
  }

  #scope({ hasParams = false, hasAuthorizer = false }: Place, variables?: object): CelScope {
    const key = JSON.stringify([hasParams, hasAuthorizer, variables]);
    let scope = this.#scopes.get(key);
    if (!scope) {
      scope = new this.#cel.CelScope(noDefinitions)
        .declare("object")
        .declare("oldObject")
        .declare("request", requestSchema)
        .declare("namespaceObject", namespaceSchema);
      if (hasParams) scope.declare("params");
      if (hasAuthorizer) scope.declareAuthorizer();
      if (variables) scope.declareFields("variables", variables as Record<string, string>);
      this.#scopes.set(key, scope);
    }
    return scope;
  }

  /** What is wrong with a variable of the object, which later expressions may name. */
  variable(name: string, expression: string, at: string, place: Place): FieldError[] {
    const compiled = this.#scope(place, this.#variables).compile(expression);
    if ("error" in compiled) {
      this.#variables = { ...this.#variables, [name]: "dyn" };
      const why = `compilation failed: ${shownError(expression, compiled)}`;
      return [invalidValue(at, expression, why)];
    }
    this.#variables = { ...this.#variables, [name]: compiled.program.resultType };
    return [];
  }

  /** `results`: the types that the place takes; `usesVariables`: whether it may name them. */
  errors(
    expression: string,
    at: string,
    place: Place & { results?: string[]; usesVariables?: boolean; shown?: string },
  ): FieldError[] {
    const { results, usesVariables, shown = expression } = place;
    const scope = this.#scope(place, usesVariables ? this.#variables : undefined);
    const compiled = scope.compile(expression);
    const refuse = (why: string) => [invalidValue(at, shown, why)];
    if ("error" in compiled) {
      return refuse(`compilation failed: ${shownError(expression, compiled)}`);
    }
    const { resultType, isPath } = compiled.program;
    const [outer = ""] = resultType.split("<");
    // Only of a path it is certain that upstream's compiler knows no more of it than ours.
    const isOpen = outer === "dyn" && !isPath;
    if (!results || isOpen || results.includes(outer)) return [];
    const wanted = results.map(shownType);
    const one = wanted.length === 1 ? wanted[0] : `one of [${wanted.join(" ")}]`;
    return refuse(`must evaluate to ${one} but got ${shownType(resultType)}`);
  }
}
