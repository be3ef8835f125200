import type { LabelSelector } from "../lib/label-selector.ts";

const requirementText = ({
  key,
  operator,
  values = [],
}: {
  key: string;
  operator: string;
  values?: string[];
}) => {
  switch (operator) {
    case "In":
      return `${key} in (${[...values].sort().join(",")})`;
    case "NotIn":
      return `${key} notin (${[...values].sort().join(",")})`;
    case "Exists":
      return key;
    default:
      return `!${key}`;
  }
};

/** A LabelSelector, or the plain map of older kinds, as query text: `app=web,tier in (a,b)`. */
export function labelSelectorText(selector: unknown): string {
  if (typeof selector !== "object" || selector === null) return "";
  const { matchLabels, matchExpressions, ...plain } = selector as LabelSelector &
    Record<string, unknown>;
  const exact = matchLabels || matchExpressions ? (matchLabels ?? {}) : plain;
  const pairs = Object.entries(exact)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  return [...pairs, ...(matchExpressions ?? []).map(requirementText)].join(",");
}
