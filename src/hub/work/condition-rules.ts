// Conditions that a work's own rules ask for, by what its objects say of themselves. Pure.
import type { Condition } from "../../lib/conditions.ts";

/** The value of an expression in CEL over `object` (and `result`); throws an Error that says what is wrong. */
export type EvaluateRule = (expression: string, bindings: Record<string, unknown>) => unknown;

export interface ConditionRule {
  type: string;
  condition?: string;
  celExpressions?: string[];
  message?: string;
  messageExpression?: string;
}

export const completeType = "Complete";
const reasonPrefix = "ConditionRule";

/** What is known of some kinds without a rule of the work's. */
const wellKnown: Record<string, ConditionRule> = {
  "batch/Job": {
    type: "CEL",
    condition: completeType,
    celExpressions: [
      "hasConditions(object.?status.orValue({})) && " +
        "object.status.conditions.exists(c, c.type in ['Complete', 'Failed'] && c.status == 'True')",
    ],
    messageExpression: 'result ? "Job is finished" : "Job is not finished"',
  },
  "/Pod": {
    type: "CEL",
    condition: completeType,
    celExpressions: ["object.?status.phase.orValue('') in ['Succeeded', 'Failed']"],
    messageExpression: '"Pod is in phase " + object.?status.phase.orValue("Unknown")',
  },
};

/** Rules of earlier contents of the work say nothing of this one. */
export const isOutdated = (
  { reason, observedGeneration }: Condition,
  generation: number | undefined,
) => reason.startsWith(reasonPrefix) && observedGeneration !== generation;

function ruleOf(rule: ConditionRule, group: string, kind: string): ConditionRule {
  if (rule.type === "CEL") return rule;
  const known = rule.type === "WellKnownConditions" ? wellKnown[`${group}/${kind}`] : undefined;
  if (!known) {
    throw new Error(
      rule.type === "WellKnownConditions"
        ? `nothing is well known of when a ${kind} is complete; say it in CEL`
        : `conditionRules[].type ${rule.type} is not known`,
    );
  }
  const { condition, message, messageExpression } = rule;
  return {
    ...known,
    ...(condition && { condition }),
    ...(message && { message }),
    ...(messageExpression && { messageExpression }),
  };
}

function evaluated(rule: ConditionRule, object: unknown, evaluate: EvaluateRule): boolean {
  return (rule.celExpressions ?? []).every((expression) => {
    const value = evaluate(expression, { object });
    if (typeof value === "boolean") return value;
    throw new Error(`${expression}: must evaluate to bool`);
  });
}

function messageOf(rule: ConditionRule, object: unknown, result: boolean, evaluate: EvaluateRule) {
  const { messageExpression, message, condition } = rule;
  if (messageExpression) {
    try {
      const value = evaluate(messageExpression, { object, result });
      if (typeof value === "string" && value) return value;
    } catch (error) {
      return `messageExpression: ${(error as Error).message}`;
    }
  }
  return message || (result ? `Manifest is ${condition}` : `Manifest is not ${condition}`);
}

/** One condition per rule, of the object as it is at the site. */
export function ruledConditions(
  rules: ConditionRule[],
  { live, group, kind }: { live: unknown; group: string; kind: string },
  evaluate: EvaluateRule,
): Condition[] {
  return rules.map((asked): Condition => {
    const type = asked.condition || completeType;
    let rule: ConditionRule;
    try {
      rule = ruleOf(asked, group, kind);
    } catch (error) {
      const { message } = error as Error;
      return { type, status: "Unknown", reason: `${reasonPrefix}Invalid`, message };
    }
    try {
      const result = evaluated(rule, live, evaluate);
      const message = messageOf({ ...rule, condition: type }, live, result, evaluate);
      const status = result ? "True" : "False";
      return { type, status, reason: `${reasonPrefix}Evaluated`, message };
    } catch (error) {
      const { message } = error as Error;
      return { type, status: "False", reason: `${reasonPrefix}ExpressionError`, message };
    }
  });
}
