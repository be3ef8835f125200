// `meta/v1 LabelSelector`, compiled once and asked often. As upstream: an absent selector matches
// nothing and an empty one everything.
import { own } from "./json.ts";

export type Labels = Record<string, string>;

export interface LabelSelectorRequirement {
  key: string;
  operator: string;
  values?: string[];
}

export interface LabelSelector {
  matchLabels?: Labels;
  matchExpressions?: LabelSelectorRequirement[];
}

export type Matcher = (labels: Labels | undefined) => boolean;

const none: Labels = {};

function requirement({ key, operator, values = [] }: LabelSelectorRequirement): Matcher {
  switch (operator) {
    case "In":
      return (labels = none) => values.includes(own(labels, key));
    case "NotIn":
      return (labels = none) => !values.includes(own(labels, key));
    case "Exists":
      return (labels = none) => own(labels, key) !== undefined;
    case "DoesNotExist":
      return (labels = none) => own(labels, key) === undefined;
    default:
      return () => false;
  }
}

/** A predicate for `selector`. Unknown operators, which validation refuses, match nothing. */
export function compileSelector(selector: LabelSelector | null | undefined): Matcher {
  if (!selector) return () => false;
  const exact = Object.entries(selector.matchLabels ?? {});
  const rest = (selector.matchExpressions ?? []).map(requirement);
  return (labels = none) => {
    for (const [key, value] of exact) if (labels[key] !== value) return false;
    for (const matches of rest) if (!matches(labels)) return false;
    return true;
  };
}
