// What the schema cannot say of roles and of who has them.
import { jsonEqual } from "../../lib/json.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsSubdomain, pathSegment } from "../name-rules.ts";
import { named, needed, none } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { selectorErrors } from "../selector-validation.ts";

const group = "rbac.authorization.k8s.io";

function subjectErrors(subject: any, at: string, isNamespaced: boolean): FieldError[] {
  const errors = subject.name ? [] : [required(`${at}.name`)];
  errors.push(...supported(`${at}.kind`, subject.kind ?? "", ["ServiceAccount", "User", "Group"]));
  if (subject.kind === "ServiceAccount" && subject.name) {
    errors.push(...named(dnsSubdomain)(subject.name, `${at}.name`));
  }
  const groups = subject.kind === "ServiceAccount" ? [""] : [group];
  errors.push(...supported(`${at}.apiGroup`, subject.apiGroup, groups));
  if (subject.kind === "ServiceAccount" && !subject.namespace && !isNamespaced) {
    errors.push(required(`${at}.namespace`));
  }
  return errors;
}

const bindingErrors =
  (isNamespaced: boolean) =>
  ({ object, old }: Change): FieldError[] => {
    const { roleRef, subjects = [] } = object as any;
    const kinds = isNamespaced ? ["Role", "ClusterRole"] : ["ClusterRole"];
    const errors: FieldError[] = [...needed(named(pathSegment))(roleRef?.name, "roleRef.name")];
    errors.push(
      ...supported("roleRef.apiGroup", roleRef?.apiGroup, [group]),
      ...supported("roleRef.kind", roleRef?.kind ?? "", kinds),
      ...subjects.flatMap((one: any, i: number) =>
        subjectErrors(one, `subjects[${i}]`, isNamespaced),
      ),
    );
    if (old && !jsonEqual((old as any).roleRef, roleRef)) {
      errors.push(invalidValue("roleRef", roleRef, "cannot change roleRef"));
    }
    return errors;
  };

export const roleBindingErrors = bindingErrors(true);
export const clusterRoleBindingErrors = bindingErrors(false);

const some = (list: unknown[] | undefined) => (list?.length ?? 0) > 0;

function ruleErrors(rule: any, at: string, isNamespaced: boolean): FieldError[] {
  const errors = some(rule.verbs)
    ? []
    : [required(`${at}.verbs`, "verbs must contain at least one value")];
  if (some(rule.nonResourceURLs)) {
    const urls = rule.nonResourceURLs;
    const wrong = (why: string) => invalidValue(`${at}.nonResourceURLs`, urls, why);
    if (isNamespaced) errors.push(wrong("namespaced rules cannot apply to non-resource URLs"));
    if ([rule.apiGroups, rule.resources, rule.resourceNames].some(some)) {
      errors.push(wrong("rules cannot apply to both regular resources and non-resource URLs"));
    }
    return errors;
  }
  if (!some(rule.apiGroups)) {
    const why = "resource rules must supply at least one api group";
    errors.push(required(`${at}.apiGroups`, why));
  }
  if (!some(rule.resources)) {
    const why = "resource rules must supply at least one resource";
    errors.push(required(`${at}.resources`, why));
  }
  return errors;
}

const rulesErrors = ({ object }: Change, isNamespaced: boolean): FieldError[] =>
  ((object as any).rules ?? []).flatMap((one: any, i: number) =>
    ruleErrors(one, `rules[${i}]`, isNamespaced),
  );

const oneSelectorWhy = "at least one clusterRoleSelector required if aggregationRule is non-nil";

/** What is wrong with one of the selectors is told twice, as upstream does. */
const aggregation: Rule = ({ clusterRoleSelectors: list = [] }, at) => {
  const field = `${at}.clusterRoleSelectors`;
  if (list.length === 0) return [required(field, oneSelectorWhy)];
  return list.flatMap((one: object, i: number) => {
    const place = `${field}[${i}]`;
    const errors = selectorErrors(one, place);
    return errors.length === 0
      ? none
      : [...errors, invalidValue(place, null, "invalid label selector.")];
  });
};

export const roleErrors = (change: Change): Errors => rulesErrors(change, true);

export function clusterRoleErrors(change: Change): Errors {
  const rule = (change.object as any).aggregationRule;
  const errors = rulesErrors(change, false);
  return rule ? [...errors, ...aggregation(rule, "aggregationRule")] : errors;
}
