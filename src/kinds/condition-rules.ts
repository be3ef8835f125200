// What the schema cannot say of `meta/v1 Condition`s (apimachinery's validation of them).
import { invalidValue } from "./field-checks.ts";
import { qualifiedName } from "./name-rules.ts";
import {
  all,
  atLeast,
  each,
  fields,
  named,
  needed,
  none,
  oneOf,
  orEmpty,
  tooLong,
  unique,
} from "./rules.ts";
import type { Rule } from "./rules.ts";

const reasonCharsMax = 1024;
const messageCharsMax = 32 * 1024;

const atMostChars =
  (max: number): Rule =>
  (text: string, at) =>
    text.length > max ? [tooLong(at, max)] : none;

const reasonWhy =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters " +
  "or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or " +
  "'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";

const reason: Rule = (text: string, at) =>
  /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/.test(text)
    ? none
    : [invalidValue(at, text, reasonWhy)];

const condition = fields({
  type: orEmpty(named(qualifiedName)),
  status: orEmpty(oneOf("False", "True", "Unknown")),
  observedGeneration: atLeast(0),
  lastTransitionTime: needed(),
  reason: needed(all(reason, atMostChars(reasonCharsMax))),
  message: atMostChars(messageCharsMax),
});

export const conditionsRule = all(
  unique(({ type }) => type, ".type"),
  each(condition),
);
