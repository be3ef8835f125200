// `x-kubernetes-validations`: rules of a schema in CEL, checked on every write of an object (KEP-2876). A rule
// that names oldSelf is about a change and is asked only where the old value can be found again: by field, by
// key of a map, by the keys of a list-map. What a write leaves as it was is not judged again (KEP-4008).
import type { Schema } from "../../kinds/schema.ts";
import { isObject, jsonEqual } from "../../lib/json.ts";
import type { FieldError } from "../../lib/status-error.ts";
import type { CelProgram } from "../cel/compile.ts";
import { loadedCel } from "../cel/load.ts";

interface Rule {
  rule: string;
  message?: string;
  messageExpression?: string;
  reason?: string;
  fieldPath?: string;
  optionalOldSelf?: boolean;
}

interface CompiledRule extends Rule {
  program: CelProgram;
  messageProgram?: CelProgram;
  isTransition: boolean;
}

/** A place in the schema with rules, or on the way to some. */
export interface RuleNode {
  type: string;
  rules: CompiledRule[];
  properties: Map<string, RuleNode>;
  rest?: RuleNode;
  items?: RuleNode;
  /** The keys by which items of a list are found again. */
  keys?: string[];
}

const rulesOf = (schema: Schema) => (schema["x-kubernetes-validations"] ?? []) as unknown as Rule[];

const valuesOf = ({ additionalProperties }: Schema) =>
  isObject(additionalProperties) ? (additionalProperties as unknown as Schema) : undefined;

/** True when any rule stands in the schema. */
export function hasRules(schema: Schema): boolean {
  const below = [...Object.values(schema.properties ?? {}), schema.items, valuesOf(schema)];
  return rulesOf(schema).length > 0 || below.some((one) => one !== undefined && hasRules(one));
}

/** A CRD's schema refers to nothing but the metadata of objects, of which rules see their names. */
const definitions = (name: string): never => {
  throw new Error(`a schema of a CustomResourceDefinition refers to ${name}`);
};

type Report = (path: string, value: unknown, why: string) => void;

function compileRule(rule: Rule, schema: Schema, at: string, report: Report) {
  const { CelScope } = loadedCel();
  const scope = new CelScope(definitions).declare("self", schema).declare("oldSelf", schema);
  const compiled = scope.compile(rule.rule, ["bool"]);
  if ("error" in compiled) {
    report(`${at}.rule`, rule.rule, `compilation failed: ${compiled.error}`);
    return undefined;
  }
  const { program } = compiled;
  const isTransition = program.uses("oldSelf") && !rule.optionalOldSelf;
  const out: CompiledRule = { ...rule, program, isTransition };
  if (!rule.messageExpression) return out;
  const message = scope.compile(rule.messageExpression, ["string"]);
  if ("error" in message) {
    const why = `messageExpression compilation failed: ${message.error}`;
    report(`${at}.messageExpression`, rule.messageExpression, why);
    return undefined;
  }
  return { ...out, messageProgram: message.program };
}

/** The rules of a schema, compiled; undefined when there are none. `report` is told what does not compile. */
export function compileRules(schema: Schema, at: string, report: Report): RuleNode | undefined {
  if (!hasRules(schema)) return undefined;
  const rules = rulesOf(schema).flatMap((rule, i) => {
    const compiled = compileRule(rule, schema, `${at}.x-kubernetes-validations[${i}]`, report);
    return compiled ? [compiled] : [];
  });
  const node: RuleNode = { type: schema.type ?? "", rules, properties: new Map() };
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const below = compileRules(property, `${at}.properties[${name}]`, report);
    if (below) node.properties.set(name, below);
  }
  const values = valuesOf(schema);
  const rest = values && compileRules(values, `${at}.additionalProperties`, report);
  if (rest) node.rest = rest;
  const items = schema.items && compileRules(schema.items, `${at}.items`, report);
  if (items) node.items = items;
  const keys = schema["x-kubernetes-list-map-keys"];
  if (schema["x-kubernetes-list-type"] === "map" && keys) node.keys = keys;
  return node;
}

const reasons = new Set([
  "FieldValueInvalid",
  "FieldValueForbidden",
  "FieldValueRequired",
  "FieldValueDuplicate",
]);

function failure(
  rule: CompiledRule,
  node: RuleNode,
  value: unknown,
  path: string,
  text: string,
): FieldError {
  const type = (
    reasons.has(rule.reason ?? "") ? rule.reason : "FieldValueInvalid"
  ) as FieldError["type"];
  const shown = typeof value === "object" ? JSON.stringify(node.type) : JSON.stringify(value);
  const field = `${path}${rule.fieldPath ?? ""}`.replace(/^\./, "") || "<nil>";
  const words: Record<string, string> = {
    FieldValueForbidden: `Forbidden: ${text}`,
    FieldValueRequired: `Required value: ${text}`,
    FieldValueDuplicate: `Duplicate value: ${shown}`,
  };
  return { type, field, message: words[type] ?? `Invalid value: ${shown}: ${text}` };
}

function messageOf(rule: CompiledRule, bindings: object): string {
  try {
    const text = rule.messageProgram?.evaluate({ ...bindings });
    if (typeof text === "string" && text.trim() !== "" && !text.includes("\n")) return text;
  } catch {
    // The fixed message says it too.
  }
  return rule.message ?? `failed rule: ${rule.rule.trim()}`;
}

function judge(rule: CompiledRule, node: RuleNode, value: unknown, old: unknown, path: string) {
  if (rule.isTransition && old === undefined) return [];
  const bindings = { self: value, ...(old !== undefined && { oldSelf: old }) };
  try {
    if (rule.program.evaluate(bindings) === true) return [];
  } catch (error) {
    const text = `${(error as Error).message.split("\n")[0]} evaluating rule: ${rule.message ?? rule.rule.trim()}`;
    return [failure(rule, node, value, path, text)];
  }
  return [failure(rule, node, value, path, messageOf(rule, bindings))];
}

const keyOf = (item: any, keys: string[]) => JSON.stringify(keys.map((key) => item?.[key] ?? null));

/** Everything that the rules at and below `node` refuse. `old` is the value before, where there was one. */
export function ruleErrors(node: RuleNode, value: unknown, old: unknown, path = ""): FieldError[] {
  if (value === undefined || value === null) return [];
  const unchanged = old !== undefined && jsonEqual(value, old);
  const rules = unchanged ? node.rules.filter((rule) => rule.isTransition) : node.rules;
  const errors = rules.flatMap((rule) => judge(rule, node, value, old, path));
  if (Array.isArray(value) && node.items) {
    const { items, keys } = node;
    const before = new Map<string, unknown>();
    if (keys && Array.isArray(old)) for (const item of old) before.set(keyOf(item, keys), item);
    value.forEach((item, i) => {
      const was = keys ? before.get(keyOf(item, keys)) : undefined;
      errors.push(...ruleErrors(items, item, was, `${path}[${i}]`));
    });
  } else if (isObject(value)) {
    const was = isObject(old) ? old : {};
    for (const [name, one] of Object.entries(value)) {
      const below = node.properties.get(name) ?? node.rest;
      if (!below) continue;
      const at = node.properties.has(name) ? `${path}.${name}` : `${path}[${name}]`;
      errors.push(...ruleErrors(below, one, was[name], path === "" ? name : at));
    }
  }
  return errors;
}
