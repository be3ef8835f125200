// `v1 NodeSelector`: terms are ORed, the requirements in a term are ANDed, and a term without any
// requirement matches nothing.
import { own } from "./json.ts";
import type { Labels, LabelSelectorRequirement } from "./label-selector.ts";

export interface NodeSelectorTerm {
  matchExpressions?: LabelSelectorRequirement[];
  matchFields?: LabelSelectorRequirement[];
}

export interface SelectableNode {
  name: string;
  labels: Labels;
}

const integer = (text: string | undefined) =>
  text !== undefined && /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;

function holds(value: string | undefined, operator: string, values: string[]): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return integer(value) > integer(values[0]);
    case "Lt":
      return integer(value) < integer(values[0]);
    default:
      return false;
  }
}

export function matchesTerm(term: NodeSelectorTerm, node: SelectableNode): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  for (const { key, operator, values = [] } of matchExpressions) {
    if (!holds(own(node.labels, key), operator, values)) return false;
  }
  for (const { key, operator, values = [] } of matchFields) {
    if (key !== "metadata.name" || !holds(node.name, operator, values)) return false;
  }
  return true;
}

export const matchesTerms = (terms: NodeSelectorTerm[], node: SelectableNode) =>
  terms.some((term) => matchesTerm(term, node));
