// Selectors as text: `app=web,tier in (a,b),!old` for labels (apimachinery labels.Parse) and
// `metadata.name=x,status.phase!=Failed` for fields (fields.ParseSelector).
import { compileSelector } from "./label-selector.ts";
import type { LabelSelectorRequirement, Matcher } from "./label-selector.ts";
import { own } from "./json.ts";
import { badRequest } from "./status-error.ts";

const requirementsMax = 1000;
const namePattern = /^([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$/;
const prefixPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const valuePattern = /^(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$/;

const failure = (why: string) => badRequest(`unable to parse requirement: ${why}`);

function checkKey(key: string): string {
  const slash = key.indexOf("/");
  const name = key.slice(slash + 1);
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  if (!namePattern.test(name) || (prefix !== undefined && !prefixPattern.test(prefix))) {
    throw failure(
      `<nil>: Invalid value: ${JSON.stringify(key)}: name part must consist of alphanumeric characters, '-', '_' or '.', ` +
        "and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', " +
        "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    );
  }
  return key;
}

function checkValue(key: string, value: string): string {
  if (valuePattern.test(value)) return value;
  throw failure(
    `values[0][${key}]: Invalid value: ${JSON.stringify(value)}: a valid label must be an empty string or consist of ` +
      "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
      "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
  );
}

/** Splits at commas outside parentheses. */
function terms(text: string): string[] {
  const found: string[] = [];
  let start = 0;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "(") depth += 1;
    else if (text[i] === ")") depth -= 1;
    else if (text[i] === "," && depth === 0) {
      found.push(text.slice(start, i));
      start = i + 1;
    }
  }
  found.push(text.slice(start));
  if (depth !== 0) throw failure(`found '', expected: ',' or ')'`);
  return found;
}

type Requirement = LabelSelectorRequirement | { key: string; compare: ">" | "<"; bound: number };

function requirementOf(text: string): Requirement {
  const term = text.trim();
  const set = /^(\S+?)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term);
  if (set) {
    const key = checkKey(set[1]!);
    const values = set[3]!.split(",").map((value) => checkValue(key, value.trim()));
    return { key, operator: set[2] === "in" ? "In" : "NotIn", values };
  }
  const existence = /^(!?)\s*([^\s=!<>(),]+)$/.exec(term);
  if (existence) {
    const operator = existence[1] ? "DoesNotExist" : "Exists";
    return { key: checkKey(existence[2]!), operator };
  }
  const pair = /^([^\s=!<>(),]+)\s*(==|=|!=|>|<)\s*([^\s=!<>(),]*)$/.exec(term);
  if (!pair) throw failure(`found '${term}', expected: !, identifier, or 'end of string'`);
  const key = checkKey(pair[1]!);
  const operator = pair[2]!;
  if (operator === ">" || operator === "<") {
    if (!/^-?\d+$/.test(pair[3]!))
      throw failure(`for 'Gt', 'Lt' operators, the value must be an integer`);
    return { key, compare: operator, bound: Number(pair[3]) };
  }
  const values = [checkValue(key, pair[3]!)];
  return { key, operator: operator === "!=" ? "NotIn" : "In", values };
}

/** A predicate for the text; "" matches everything. Throws BadRequest in upstream's words. */
export function parseLabelSelector(text: string): Matcher {
  if (text.trim() === "") return () => true;
  const found = terms(text);
  if (found.length > requirementsMax) throw failure(`more than ${requirementsMax} requirements`);
  const requirements = found.map(requirementOf);
  const compared = requirements.filter((r) => "compare" in r);
  const matchExpressions = requirements.filter((r) => "operator" in r);
  const matches = compileSelector({ matchExpressions });
  return (labels) =>
    matches(labels) &&
    compared.every(({ key, compare, bound }) => {
      const value = Number(own(labels ?? {}, key) ?? Number.NaN);
      return compare === ">" ? value > bound : value < bound;
    });
}

export interface FieldRequirement {
  field: string;
  operator: "=" | "!=";
  value: string;
}

/** The text's requirements; `\,`, `\=` and `\\` stand for themselves. Throws BadRequest. */
export function parseFieldSelector(text: string): FieldRequirement[] {
  const found: FieldRequirement[] = [];
  for (const [term] of text.matchAll(/(?:\\.|[^,\\])+/gs)) {
    const at = term.search(/[=!\\]/);
    const field = term.slice(0, Math.max(at, 0)).trim();
    const match = /^(==|=|!=)((?:\\.|[^\\=])*)$/s.exec(term.slice(at));
    if (!match || field === "") {
      throw badRequest(`invalid field selector: ${text}: can't understand '${term}'`);
    }
    const value = match[2]!.replace(/\\([,=\\])/g, "$1");
    found.push({ field, operator: match[1] === "!=" ? "!=" : "=", value });
  }
  return found;
}
