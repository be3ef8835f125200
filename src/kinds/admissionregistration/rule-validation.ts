// What admission is about: rules of resources and operations, and conditions on which it looks. Webhooks and
// policies have them alike. What an expression says is judged where CEL is (server/admission/policies).
import { invalidValue, required } from "../field-checks.ts";
import { pathSegment, qualifiedName } from "../name-rules.ts";
import {
  all,
  each,
  fields,
  holds,
  named,
  needed,
  none,
  oneOf,
  present,
  tooMany,
  unique,
  written,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { selectorErrors } from "../selector-validation.ts";

export const failurePolicy = oneOf("Fail", "Ignore");
export const matchPolicy = oneOf("Equivalent", "Exact");
export const reinvocationPolicy = oneOf("IfNeeded", "Never");

/** An asterisk stands alone. */
const alone = (what: string) =>
  holds(
    (values: string[]) => values.length < 2 || !values.includes("*"),
    `if '*' is present, must not specify other ${what}`,
  );

/** Subresources of all, and all subresources of one, leave nothing to name beside them. */
function subresourceErrors(list: string[], at: string): Errors {
  const [ofResource, ofAll] = [new Set<string>(), new Set<string>()];
  return list.flatMap((text, i) => {
    const slash = text.indexOf("/");
    if (slash < 0) return none;
    const [name, part] = [text.slice(0, slash), text.slice(slash + 1)];
    const covered = [
      ...(ofResource.has(name) ? [`if '${name}/*' is present, must not specify ${text}`] : []),
      ...(ofAll.has(part) ? [`if '*/${part}' is present, must not specify ${text}`] : []),
    ];
    if (part === "*") ofResource.add(name);
    if (name === "*") ofAll.add(part);
    return covered.map((why) => invalidValue(`${at}[${i}]`, text, why));
  });
}

const resources: Rule = (list: string[], at) => {
  const last = list.findLast((text) => text !== "" && !text.includes("/"));
  const wrong: [boolean, string][] = [
    [
      list.length > 1 && list.includes("*/*"),
      "if '*/*' is present, must not specify other resources",
    ],
    [
      list.includes("*") && last !== "*",
      "if '*' is present, must not specify other resources without subresources",
    ],
  ];
  return [
    ...each(needed())(list, at),
    ...subresourceErrors(list, at),
    ...wrong.filter(([is]) => is).map(([, why]) => invalidValue(at, list, why)),
  ];
};

export const operationRule = fields({
  operations: needed(
    all(alone("operations"), each(oneOf("*", "CONNECT", "CREATE", "DELETE", "UPDATE"))),
  ),
  apiGroups: needed(alone("API groups")),
  apiVersions: needed(all(alone("API versions"), each(needed()))),
  resources: needed(resources),
  scope: oneOf("*", "Cluster", "Namespaced"),
});

const namedRule = all(
  fields({ resourceNames: all(each(named(pathSegment)), unique()) }),
  operationRule,
);

/** Of a policy or of a binding. */
export const matchResources = fields({
  matchPolicy: present(matchPolicy),
  namespaceSelector: present(selectorErrors),
  objectSelector: present(selectorErrors),
  resourceRules: each(namedRule),
  excludeResourceRules: each(namedRule),
});

const conditionsMax = 64;
const conditionCount: Rule = (list, at) =>
  list.length > conditionsMax ? [tooMany(at, list.length, conditionsMax)] : none;

export const matchConditions = all(
  conditionCount,
  each(fields({ expression: written(), name: needed(named(qualifiedName)) })),
  unique(({ name }) => name, ".name"),
);

/** A text that is given has to say something, on one line. */
export const message: Rule = (text: string, at) => {
  if (text === "") return none;
  const said = text.trim();
  if (said === "") return [invalidValue(at, text, "must be non-empty if specified")];
  return /[\n\r]/.test(said) ? [invalidValue(at, text, "must not contain line breaks")] : none;
};

/** A part that only this sort of object has. */
export const someOf = (names: string[], detail: string): Rule => {
  const isEmpty = (object: any) => names.every((name) => !object[name]?.length);
  return (object, at) =>
    isEmpty(object) ? names.map((name) => required(`${at}.${name}`, detail)) : none;
};
