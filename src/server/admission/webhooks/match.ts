// Whether a webhook wants to be asked about a request, and as which version of its resource.
import type { Kind } from "../../../kinds/kind.ts";
import type { Kinds } from "../../../kinds/kinds.ts";
import type { Labels } from "../../../lib/label-selector.ts";
import type { AdmissionRequest } from "../../policy.ts";
import type { PreparedWebhook, Rule } from "./configuration.ts";

/** What decides over admission is not itself decided over by webhooks, or nobody could repair it. */
const exempt = new Set([
  "mutatingwebhookconfigurations",
  "validatingwebhookconfigurations",
  "mutatingadmissionpolicies",
  "mutatingadmissionpolicybindings",
  "validatingadmissionpolicies",
  "validatingadmissionpolicybindings",
]);

export const isExempt = ({ group, plural }: Kind) =>
  group === "admissionregistration.k8s.io" && exempt.has(plural);

const lists = (values: string[], value: string) => values.includes("*") || values.includes(value);

/** `pods`, `pods/status`, `pods/*`, `*`, `*\/scale` and `*\/*`. */
function matchesResource(pattern: string, plural: string, subresource: string): boolean {
  const [resource = "", sub = ""] = pattern.split("/");
  if (resource !== "*" && resource !== plural) return false;
  return sub === "*" || sub === subresource;
}

/** A Namespace is no object of a namespace: it has the scope of the cluster. */
function inScope(scope: string | undefined, kind: Kind): boolean {
  if (!scope || scope === "*") return true;
  return (scope === "Namespaced") === kind.namespaced;
}

/** Pure. */
export function matchesRule(
  rule: Rule,
  kind: Kind,
  { operation, subresource }: Pick<AdmissionRequest, "operation" | "subresource">,
): boolean {
  return (
    lists(rule.operations, operation) &&
    lists(rule.apiGroups, kind.group) &&
    lists(rule.apiVersions, kind.version) &&
    inScope(rule.scope, kind) &&
    rule.resources.some((pattern) => matchesResource(pattern, kind.plural, subresource))
  );
}

/** The kind as which `webhook` is to see the request; undefined when its rules do not name it. */
export function matchedKind(
  webhook: Pick<PreparedWebhook, "rules" | "matchPolicy">,
  request: AdmissionRequest,
  kinds: Kinds,
): Kind | undefined {
  const { rules = [], matchPolicy } = webhook;
  const { kind } = request;
  const matches = (one: Kind) => rules.some((rule) => matchesRule(rule, one, request));
  if (matches(kind)) return kind;
  if (matchPolicy !== "Equivalent") return undefined;
  return kinds
    .all()
    .find((one) => one.group === kind.group && one.plural === kind.plural && matches(one));
}

/** Objects of no namespace pass every namespace selector. */
export function selects(
  webhook: Pick<PreparedWebhook, "inNamespace" | "ofObject">,
  { kind, object, old }: AdmissionRequest,
  namespaceLabels: Labels | undefined,
): boolean {
  const isNamespace = kind.group === "" && kind.plural === "namespaces";
  const labels = isNamespace ? (object ?? old)?.metadata.labels : namespaceLabels;
  if ((kind.namespaced || isNamespace) && !webhook.inNamespace(labels ?? {})) return false;
  const carries = (one: typeof object) =>
    one !== undefined && webhook.ofObject(one.metadata?.labels);
  return carries(object) || carries(old) || (!object && !old && webhook.ofObject({}));
}
