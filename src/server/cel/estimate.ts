// What an expression may cost at worst, before it has ever run: its loops, one inside the other, over lists as
// long as their schemas allow, and the strings that calls and + go through in them. A schema that sets no
// limit allows as much as a request has room for.
import type { Schema } from "../../kinds/schema.ts";
import { isObject } from "../../lib/json.ts";
import { celNames } from "./names.ts";

/** As upstream's limit for one expression. */
export const estimateMax = 10_000_000;

/** The shortest elements that fill the longest request body. */
const elementsMax = (3 * 1024 * 1024) / 2;

const charactersMax = 3 * 1024 * 1024;
/** What going through one character costs. */
const perCharacter = 0.1;

const loops = new Set(["all", "exists", "exists_one", "existsOne", "map", "filter"]);

interface Node {
  op: string;
  args: any;
}

type Variables = ReadonlyMap<string, Schema | undefined>;

const isNode = (value: any): value is Node =>
  typeof value === "object" && value !== null && typeof value.op === "string" && "args" in value;

const elementOf = (schema: Schema | undefined): Schema | undefined => {
  if (schema?.items) return schema.items;
  const values = schema?.additionalProperties;
  return isObject(values) ? (values as unknown as Schema) : undefined;
};

/** The schema of what a path leads to; undefined for what no schema tells. */
function schemaOf(node: Node, variables: Variables): Schema | undefined {
  switch (node.op) {
    case "id":
      return variables.get(node.args);
    case ".":
    case ".?": {
      const [object, name] = node.args;
      const of = schemaOf(object, variables);
      const found = Object.entries(of?.properties ?? {}).find(([field]) =>
        celNames(field).includes(name),
      );
      return found?.[1] ?? elementOf(of);
    }
    case "[]":
      return elementOf(schemaOf(node.args[0], variables));
    case "rcall":
      return node.args[0] === "filter" ? schemaOf(node.args[1], variables) : undefined;
    default:
      return undefined;
  }
}

function lengthOf(node: Node, variables: Variables): number {
  if (node.op === "list") return node.args.length;
  if (node.op === "rcall" && loops.has(node.args[0])) return lengthOf(node.args[1], variables);
  const schema = schemaOf(node, variables);
  return Math.min(schema?.maxItems ?? schema?.maxProperties ?? elementsMax, elementsMax);
}

/** What a call or + reads of the strings that are given to it. */
function reading({ op, args }: Node, variables: Variables): number {
  const operands = op === "+" ? args : op === "rcall" ? [args[1], ...args[2]] : [];
  let characters = 0;
  for (const operand of operands) {
    const schema = isNode(operand) ? schemaOf(operand, variables) : undefined;
    if (schema?.type === "string" && !schema.enum) characters += schema.maxLength ?? charactersMax;
  }
  return characters * perCharacter;
}

function sum(value: unknown, variables: Variables): number {
  if (Array.isArray(value)) return value.reduce((all, one) => all + sum(one, variables), 0);
  if (!isNode(value)) return 0;
  if (value.op !== "rcall" || !loops.has(value.args[0])) {
    const read = value.op === "rcall" && value.args[0] === "size" ? 0 : reading(value, variables);
    return 1 + read + sum(value.args, variables);
  }
  const [, list, [variable, ...body]] = value.args;
  // What runs over keys of a map sees strings; over a list its items.
  const items = schemaOf(list, variables)?.items;
  const inner = new Map(variables);
  if (isNode(variable) && variable.op === "id") inner.set(variable.args, items);
  return 1 + sum(list, variables) + lengthOf(list, variables) * Math.max(1, sum(body, inner) / 3);
}

/** Steps that the expression may take; a guess, and the same on every machine. Pure. */
export const estimate = (ast: unknown, variables: Variables): number => sum(ast, variables);
