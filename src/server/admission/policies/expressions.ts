// The expressions of policies and match conditions: what they may name, compiled once per object that holds
// them. `variables` are computed when they are first asked for, in the order of need.
import type { CelProgram } from "../../cel/compile.ts";
import { authorizerOf, type Answers } from "../../cel/libraries/authorizer.ts";
import { loadCel } from "../../cel/load.ts";
import type { KubeObject } from "../../../kinds/object.ts";
import type { AdmissionRequest } from "../../policy.ts";

export interface Named {
  name: string;
  expression: string;
}

export interface Bindings {
  object: unknown;
  oldObject: unknown;
  request: unknown;
  params?: unknown;
  namespaceObject?: unknown;
  variables?: unknown;
  authorizer?: unknown;
}

/** Nothing when the expression does not compile: it was judged when it was written. */
export type Compile = (
  expression: string | undefined,
  results?: string[],
) => CelProgram | undefined;

/** Compiles what is at work, which may be older than what is asked of new expressions today. */
export async function policyCompiler(): Promise<Compile> {
  const { CelScope } = await loadCel();
  const scope = new CelScope((name) => {
    throw new Error(`no schema of ${name} is needed here`);
  });
  for (const name of ["object", "oldObject", "request", "params", "namespaceObject"]) {
    scope.declare(name);
  }
  scope.declareResult("variables").declareAuthorizer();
  return (expression, results) => {
    const compiled = scope.compile(expression, results);
    return "program" in compiled ? compiled.program : undefined;
  };
}

/**
 * `given` with `variables`: a map whose values come when they are asked for. The evaluator knows a map by its
 * class, so it is one, with its reading replaced.
 */
export function withVariables(programs: Map<string, CelProgram>, given: Bindings): Bindings {
  const known = new Map<string, unknown>();
  const variables = new Map<string, unknown>();
  const bindings = { ...given, variables };
  variables.has = (name) => programs.has(name);
  variables.get = (name) => {
    if (!known.has(name)) known.set(name, programs.get(name)?.evaluate({ ...bindings }));
    return known.get(name);
  };
  return bindings;
}

const named = ({ group, version, kind }: AdmissionRequest["kind"]) => ({ group, version, kind });

/** `request`, as expressions see it. */
export function requestOf(request: AdmissionRequest) {
  const { kind, subresource, name, namespace, operation, user, dryRun, options } = request;
  const resource = { group: kind.group, version: kind.version, resource: kind.plural };
  return {
    kind: named(kind),
    resource,
    subResource: subresource,
    requestKind: named(kind),
    requestResource: resource,
    requestSubResource: subresource,
    name,
    namespace,
    operation,
    userInfo: {
      username: user.name,
      uid: user.uid ?? "",
      groups: user.groups,
      extra: user.extra ?? {},
    },
    dryRun,
    options,
  };
}

export const bindingsOf = (
  request: AdmissionRequest,
  answers: Answers,
  more: { params?: KubeObject; namespaceObject?: KubeObject } = {},
): Bindings => ({
  authorizer: authorizerOf(answers, request.user, {
    group: request.kind.group,
    version: request.kind.version,
    resource: request.kind.plural,
    subresource: request.subresource,
    namespace: request.namespace,
    name: request.name,
  }),
  object: request.object ?? null,
  oldObject: request.old ?? null,
  request: requestOf(request),
  params: more.params ?? null,
  namespaceObject: more.namespaceObject ?? null,
});

export interface Condition {
  name: string;
  program: CelProgram;
}

export const compileConditions = (compile: Compile, conditions: Named[] | undefined): Condition[] =>
  (conditions ?? []).flatMap(({ name, expression }) => {
    const program = compile(expression, ["bool"]);
    return program ? [{ name, program }] : [];
  });

/** False when any says no; an error counts only when none does. */
export function conditionsHold(conditions: Condition[], bindings: Bindings): boolean {
  let failure: Error | undefined;
  for (const { name, program } of conditions) {
    try {
      if (program.evaluate({ ...bindings }) !== true) return false;
    } catch (error) {
      failure ??= new Error(
        `match condition ${JSON.stringify(name)}: ${(error as Error).message.split("\n")[0]}`,
      );
    }
  }
  if (failure) throw failure;
  return true;
}
