// What the schema cannot say of RuntimeClasses.
import { toleration } from "../core/placement-validation.ts";
import { containerResourceErrors, requirementErrors } from "../core/resource-validation.ts";
import { duplicate } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsLabel } from "../name-rules.ts";
import { all, each, fields, named, needed } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { labelErrors } from "../validate-metadata.ts";

/** What pods take beside their containers; told as limits, as upstream does. */
const overhead = requirementErrors(containerResourceErrors);

const keyOf = ({ key = "", operator = "", value = "", effect = "" }: any) =>
  [key, operator, value, effect].join("\n");

const unrepeated: Rule = (list: any[], at) =>
  list.flatMap((one, i) =>
    list.findIndex((other) => keyOf(other) === keyOf(one)) < i
      ? [duplicate(`${at}[${i}]`, one)]
      : [],
  );

const runtimeClass = fields({
  handler: needed(named(dnsLabel)),
  overhead: ({ podFixed: limits }, at) => overhead({ limits }, at),
  scheduling: fields({
    nodeSelector: labelErrors,
    tolerations: all(each(toleration), unrepeated),
  }),
});

export const runtimeClassErrors = ({ object }: Change): Errors => runtimeClass(object, "");
