// What in a policy cannot be right for the kinds that it is about. A policy is compiled without types, since
// it may be about anything; here its expressions are compiled once more for each kind that its rules name,
// and what is wrong is a warning for whoever wrote it. Pure.
import type { Kind } from "../../../kinds/kind.ts";
import { apiVersionOf } from "../../../kinds/kind.ts";
import type { Kinds } from "../../../kinds/kinds.ts";
import type { KubeObject } from "../../../kinds/object.ts";
import type { Schema } from "../../../kinds/schema.ts";
import type { CelScope } from "../../cel/compile.ts";
import { shownError } from "../../cel/shown-error.ts";
import { rootSchema } from "../../root-schema.ts";

/** Kinds that one policy is checked for, as upstream. */
const kindsMax = 10;

export interface ExpressionWarning {
  fieldRef: string;
  warning: string;
}

export interface TypeCheckOptions {
  kinds: Kinds;
  scope: () => CelScope;
}

const isOpen = (values: string[] = []) => values.some((value) => value.includes("*"));

/** The kinds that the rules of a policy name; rules with a `*` name none. */
export function namedKinds(policy: KubeObject, kinds: Kinds): Kind[] {
  const found = new Set<Kind>();
  for (const rule of policy.spec.matchConstraints?.resourceRules ?? []) {
    const { apiGroups = [], apiVersions = [], resources = [] } = rule;
    if ([apiGroups, apiVersions, resources].some(isOpen)) continue;
    for (const group of apiGroups)
      for (const version of apiVersions)
        for (const resource of resources) {
          const kind = kinds.get(group, version, resource);
          if (kind) found.add(kind);
        }
  }
  const byName = (kind: Kind) => `${kind.group}/${kind.version}/${kind.kind}`;
  return [...found].sort((a, b) => (byName(a) < byName(b) ? -1 : 1)).slice(0, kindsMax);
}

function paramsSchema({ spec }: KubeObject, kinds: Kinds): Schema | undefined {
  const { apiVersion, kind: name } = spec.paramKind ?? {};
  const kind = kinds.all().find((one) => one.kind === name && apiVersionOf(one) === apiVersion);
  return kind && rootSchema(kind, kinds);
}

function scopeFor(policy: KubeObject, kind: Kind, { kinds, scope }: TypeCheckOptions): CelScope {
  const schema = rootSchema(kind, kinds);
  return scope()
    .declare("object", schema)
    .declare("oldObject", schema)
    .declare("params", paramsSchema(policy, kinds))
    .declare("request")
    .declare("namespaceObject")
    .declareResult("variables")
    .declareAuthorizer();
}

/** Nothing when all expressions can be right for all kinds the policy names. */
export function typeWarnings(policy: KubeObject, options: TypeCheckOptions): ExpressionWarning[] {
  const scopes = namedKinds(policy, options.kinds).map((kind) => ({
    name: `${apiVersionOf(kind)}, Kind=${kind.kind}`,
    scope: scopeFor(policy, kind, options),
  }));
  const warn = (fieldRef: string, expression: string | undefined): ExpressionWarning[] => {
    if (!expression) return [];
    const wrong = scopes.flatMap(({ name, scope }) => {
      const compiled = scope.compile(expression);
      return "error" in compiled ? [`${name}: ${shownError(expression, compiled)}`] : [];
    });
    return wrong.length > 0 ? [{ fieldRef, warning: wrong.join("\n") }] : [];
  };
  return (policy.spec.validations ?? []).flatMap((one: any, i: number) => [
    ...warn(`spec.validations[${i}].expression`, one.expression),
    ...warn(`spec.validations[${i}].messageExpression`, one.messageExpression),
  ]);
}
