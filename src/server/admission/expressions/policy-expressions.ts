// The expressions of policies and webhook configurations, each where it stands and what it may name there.
import type { KubeObject } from "../../../kinds/object.ts";
import type { FieldError } from "../../../lib/status-error.ts";
import { loadCel } from "../../cel/load.ts";
import { asMaps } from "../../cel/struct-literals.ts";
import { ExpressionJudge, type Place } from "./expression-judge.ts";

const isWritten = (text: unknown): text is string => typeof text === "string" && text.trim() !== "";

function conditionErrors(judge: ExpressionJudge, conditions: any[], at: string, place: Place) {
  return conditions.flatMap(({ expression }, i) => {
    if (!isWritten(expression)) return [];
    const field = `${at}[${i}].expression`;
    return judge.errors(expression.trim(), field, { ...place, results: ["bool"] });
  });
}

/** What all policies have, judged in the order of need. */
async function frame({ spec }: KubeObject, hasVariables: boolean) {
  const judge = new ExpressionJudge(await loadCel(), { hasVariables });
  const place = { hasParams: spec.paramKind !== undefined, hasAuthorizer: true };
  const { matchConditions = [], variables = [] } = spec;
  const errors = [
    ...conditionErrors(judge, matchConditions, "spec.matchConditions", place),
    ...variables.flatMap(({ name, expression }: any, i: number) =>
      isWritten(expression)
        ? judge.variable(name, expression, `spec.variables[${i}].expression`, place)
        : [],
    ),
  ];
  return { judge, place: { ...place, usesVariables: true }, errors };
}

export async function validatingPolicyErrors(policy: KubeObject): Promise<FieldError[]> {
  const { validations = [], auditAnnotations = [], variables = [] } = policy.spec;
  const { judge, place, errors } = await frame(policy, variables.length > 0);
  const ofValidations = validations.flatMap((one: any, i: number) => {
    const at = `spec.validations[${i}]`;
    const { expression, messageExpression: text } = one;
    const forMessage = { ...place, hasAuthorizer: false, results: ["string"] };
    return [
      ...(isWritten(expression)
        ? judge.errors(expression, `${at}.expression`, { ...place, results: ["bool"] })
        : []),
      ...(isWritten(text) ? judge.errors(text, `${at}.messageExpression`, forMessage) : []),
    ];
  });
  const ofAnnotations = auditAnnotations.flatMap(({ valueExpression: text }: any, i: number) =>
    isWritten(text)
      ? judge.errors(text.trim(), `spec.auditAnnotations[${i}].valueExpression`, {
          ...place,
          results: ["string", "null"],
          shown: text,
        })
      : [],
  );
  return [...errors, ...ofValidations, ...ofAnnotations];
}

const patches: Record<string, { field: string; results: string[] }> = {
  ApplyConfiguration: { field: "applyConfiguration", results: ["map"] },
  JSONPatch: { field: "jsonPatch", results: ["list"] },
};

export async function mutatingPolicyErrors(policy: KubeObject): Promise<FieldError[]> {
  const { judge, place, errors } = await frame(policy, true);
  const ofMutations = (policy.spec.mutations ?? []).flatMap((one: any, i: number) => {
    const { field, results } = patches[one.patchType] ?? { field: "" };
    const text = one[field]?.expression;
    if (!isWritten(text) || !results) return [];
    const shown = text.trim();
    return judge.errors(asMaps(shown), `spec.mutations[${i}].${field}.expression`, {
      ...place,
      results,
      shown,
    });
  });
  return [...errors, ...ofMutations];
}

export async function webhookErrors(configuration: KubeObject): Promise<FieldError[]> {
  const webhooks: any[] = configuration["webhooks"] ?? [];
  if (webhooks.every(({ matchConditions = [] }) => matchConditions.length === 0)) return [];
  const judge = new ExpressionJudge(await loadCel());
  return webhooks.flatMap(({ matchConditions = [] }, i) =>
    conditionErrors(judge, matchConditions, `webhooks[${i}].matchConditions`, {
      hasAuthorizer: true,
    }),
  );
}
