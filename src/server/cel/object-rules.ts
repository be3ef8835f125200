// Expressions over one `object` of any kind and, for messages, over the `result` of others, as the condition rules
// of a ManifestWork have them.
import type { CelProgram, CelScope } from "./compile.ts";
import { loadCel } from "./load.ts";

/** Compiled expressions that are kept. */
const keptMax = 500;

type Environment = Parameters<Parameters<CelScope["declareOwn"]>[1]>[0];

/** True when a status has conditions at all. */
function addHasConditions(environment: Environment) {
  environment.registerFunction("hasConditions(dyn): bool", (status: unknown) => {
    const conditions = status instanceof Map ? status.get("conditions") : undefined;
    return Array.isArray(conditions) && conditions.length > 0;
  });
}

/** The value of `expression`; throws an Error when it is wrong, or fails for the object. */
export type EvaluateRule = (expression: string, bindings: Record<string, unknown>) => unknown;

/** Resolves once CEL is there. */
export async function loadObjectRules(): Promise<EvaluateRule> {
  const { CelScope: Scope } = await loadCel();
  const noSchema = (name: string) => {
    throw new Error(`no schema of ${name} is needed here`);
  };
  const scope = new Scope(noSchema).declare("object").declare("result").extend(addHasConditions);
  const kept = new Map<string, CelProgram>();
  return (expression, bindings) => {
    let program = kept.get(expression);
    if (!program) {
      const compiled = scope.compile(expression);
      if ("error" in compiled) throw new Error(compiled.error);
      if (kept.size >= keptMax) kept.clear();
      kept.set(expression, (program = compiled.program));
    }
    return program.evaluate(bindings);
  };
}
