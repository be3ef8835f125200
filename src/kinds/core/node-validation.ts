// What the schema cannot say of Nodes, and of namespaces.
import { jsonEqual } from "../../lib/json.ts";
import { cidrRule, familyErrors } from "../address-rules.ts";
import { duplicate, forbiddenValue, invalidValue } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { labelValue, qualifiedName } from "../name-rules.ts";
import { all, each, fields, named, needed, none, orEmpty } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { taintEffect } from "./placement-validation.ts";
import { integerErrors, isExtended, notNegativeAmount } from "./resource-validation.ts";

type Any = Record<string, any>;

const taint = fields({
  key: orEmpty(named(qualifiedName)),
  value: (value, at) => {
    const reasons = labelValue(value);
    return reasons.length === 0 ? none : [invalidValue(at, value, reasons.join(";"))];
  },
  effect: needed(taintEffect),
});

const pairOf = ({ key = "", effect = "" }: Any) => `${key}:${effect}`;

const taints: Rule = (list: Any[], at) => [
  ...each(taint)(list, at),
  ...list.flatMap((one, i) => {
    if (list.findIndex((other) => pairOf(other) === pairOf(one)) === i) return none;
    const message = `Duplicate value: ${JSON.stringify(one)}: taints must be unique by key and effect pair`;
    return [{ type: "FieldValueDuplicate" as const, field: `${at}[${i}]`, message }];
  }),
];

/** Amounts are told with a dot before their name, as upstream does. */
const amounts: Rule = (list: Any, at) =>
  Object.entries(list).flatMap(([name, text]) => [
    ...notNegativeAmount(text, `${at}.${name}`),
    ...(isExtended(name) ? integerErrors(text, `${at}.${name}`) : none),
  ]);

const addresses: Rule = (list: Any[], at) => {
  const texts = list.map(({ type = "", address = "" }) =>
    JSON.stringify({ Type: type, Address: address }),
  );
  return list.flatMap((_, i) =>
    texts.indexOf(texts[i]!) < i ? [duplicate(`${at}[${i}]`, JSON.parse(texts[i]!))] : none,
  );
};

const status = fields({ capacity: amounts, allocatable: amounts });
const ranges = all(each(cidrRule), (list, at) => familyErrors(list, at, "CIDR"));

/** The older field, of one range, wins where both differ. */
function rangesOf({ podCIDR, podCIDRs = [] }: Any): string[] {
  return podCIDR && podCIDRs[0] !== podCIDR ? [podCIDR] : podCIDRs;
}

/** Where a node is and which range it has is said once. */
function nodeUpdateErrors({ object: { spec = {}, status = {} }, old }: Change): Errors {
  const before = old?.spec ?? {};
  const ranges = rangesOf(before);
  const wrong = (field: string, what: string) => [
    forbiddenValue(field, `node updates may not change ${what} except from "" to valid`),
  ];
  return [
    ...addresses(status["addresses"] ?? [], "status.addresses"),
    ...(ranges.length > 0 && !jsonEqual(ranges, rangesOf(spec))
      ? wrong("spec.podCIDRs", "podCIDR")
      : none),
    ...(before.providerID && before.providerID !== spec.providerID
      ? wrong("spec.providerID", "providerID")
      : none),
  ];
}

export function nodeErrors(change: Change): Errors {
  const { object, old } = change;
  const { spec = {} } = object;
  return [
    ...(old ? nodeUpdateErrors(change) : none),
    // Upstream tells taints as if they were metadata.
    ...(spec.taints ? taints(spec.taints, "metadata.taints") : none),
    ...(object.status ? status(object.status, "status") : none),
    ...ranges(rangesOf(spec), "spec.podCIDRs"),
  ];
}

const standard = new Set(["kubernetes", "orphan", "foregroundDeletion"]);
const finalizerWhy = "name is neither a standard finalizer name nor is it fully qualified";

/** Told at the list, as upstream does. */
export function namespaceErrors({ object: { spec } }: Change): Errors {
  const at = "spec.finalizers";
  return (spec?.finalizers ?? []).flatMap((name: string) => [
    ...named(qualifiedName)(name, at),
    ...(name.includes("/") || standard.has(name) ? none : [invalidValue(at, name, finalizerWhy)]),
  ]);
}
