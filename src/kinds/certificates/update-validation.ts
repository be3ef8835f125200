// Who may write a request's status signs it, and does not approve it: that has a subresource of its own.
import { jsonEqual } from "../../lib/json.ts";
import { forbiddenValue } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import type { KubeObject } from "../object.ts";
import { none } from "../rules.ts";
import type { Errors } from "../rules.ts";

const approvals = ["Approved", "Denied"];
const lasting = [...approvals, "Failed"];

const conditionsOf = ({ status }: KubeObject, type: string): unknown[] =>
  (status?.conditions ?? []).filter((one: any) => one.type === type);

const refuse = (what: string, type: string) =>
  forbiddenValue("status.conditions", `updates may not ${what} a condition of type "${type}"`);

function conditionErrors({ object, subresource }: Change, old: KubeObject): Errors {
  return lasting.flatMap((type) => {
    const [now, before] = [conditionsOf(object, type), conditionsOf(old, type)];
    if (now.length < before.length) return [refuse("remove", type)];
    if (subresource === "approval" || !approvals.includes(type)) return none;
    if (now.length > before.length) return [refuse("add", type)];
    return jsonEqual(now, before) ? none : [refuse("modify", type)];
  });
}

function certificateErrors({ object, subresource }: Change, old: KubeObject): Errors {
  const [now, before] = [object.status?.certificate ?? "", old.status?.certificate ?? ""];
  if (now === before) return none;
  const field = "status.certificate";
  if (subresource !== "status") {
    return [forbiddenValue(field, "updates may not set certificate content")];
  }
  if (before === "") return none;
  return [forbiddenValue(field, "updates may not modify existing certificate content")];
}

/** Pure. */
export const requestUpdateErrors = (change: Change, old: KubeObject): Errors => [
  ...conditionErrors(change, old),
  ...certificateErrors(change, old),
];
