// What may be asked of a capacity that several share.
import { forbiddenValue, invalidValue, required } from "../field-checks.ts";
import { none, tooMany, unique } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { valueOf } from "./device-rules.ts";

const optionsMax = 10;

const refuse = (isWrong: boolean, at: string, value: unknown, why: string): Errors =>
  isWrong ? [invalidValue(at, String(value), why)] : none;

const wholeOf = (quantity: string) => Math.ceil(valueOf(quantity));

/** Options count by their whole part, as upstream has it. */
const sameWhole = unique((option: string) => String(wholeOf(option)));

/** One of some. */
function optionErrors(value: string, policy: any, at: string): Errors {
  const { validValues: options, default: usual } = policy;
  const field = `${at}.validValues`;
  if (usual === undefined) {
    return [required(`${at}.default`, "required when validValues is defined")];
  }
  const unordered = options.flatMap((one: string, i: number) =>
    refuse(
      i > 0 && valueOf(options[i - 1]) > valueOf(one),
      `${field}[${i}]`,
      one,
      "values must be sorted in ascending order",
    ),
  );
  if (options.length > optionsMax) {
    return [...unordered, tooMany(field, options.length, optionsMax)];
  }
  return [
    ...unordered,
    ...options.flatMap((one: string, i: number) =>
      refuse(
        valueOf(one) > valueOf(value),
        `${field}[${i}]`,
        one,
        `option is larger than capacity value: ${value}`,
      ),
    ),
    ...sameWhole(options, field),
    ...refuse(
      !options.some((one: string) => valueOf(one) === valueOf(usual)),
      field,
      usual,
      "default value is not valid according to the requestPolicy",
    ),
  ];
}

function stepErrors(value: string, usual: string, range: any, at: string): Errors {
  const { min, max, step } = range;
  const added = valueOf(min) + valueOf(step);
  const notReached = (one: string) =>
    refuse(
      (wholeOf(one) - wholeOf(min)) % wholeOf(step) !== 0,
      at,
      one,
      `value is not a multiple of a given step (${step}) from (${min})`,
    );
  return [
    ...refuse(
      added > valueOf(value),
      at,
      step,
      `one step ${added} is larger than capacity value: ${value}`,
    ),
    ...notReached(usual),
    ...(max === undefined ? none : notReached(max)),
  ];
}

/** Anything from here to there. */
function rangeErrors(value: string, policy: any, at: string): Errors {
  const { validRange: range, default: usual } = policy;
  const { min, max, step } = range;
  const [minAt, maxAt] = [`${at}.validRange.min`, `${at}.validRange.max`];
  if (usual === undefined) {
    return [required(`${at}.default`, "required when validRange is defined")];
  }
  if (min === undefined) return [required(minAt, "required when validRange is defined")];
  const of = valueOf;
  return [
    ...refuse(of(min) > of(value), minAt, min, `min is larger than capacity value: ${value}`),
    ...refuse(of(usual) < of(min), minAt, usual, `default is less than min: ${min}`),
    ...(max === undefined
      ? none
      : [
          ...refuse(of(min) > of(max), maxAt, min, `min is larger than max: ${max}`),
          ...refuse(of(max) > of(value), maxAt, max, `max is larger than capacity value: ${value}`),
          ...refuse(of(usual) > of(max), maxAt, usual, `default is more than max: ${max}`),
        ]),
    ...(step === undefined ? none : stepErrors(value, usual, range, `${at}.validRange.step`)),
  ];
}

const bothWhy =
  'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time';

export const capacityPolicy: Rule = ({ value = "0", requestPolicy: policy }, at) => {
  if (!policy) return none;
  const field = `${at}.requestPolicy`;
  const hasOptions = (policy.validValues?.length ?? 0) > 0;
  if (hasOptions && policy.validRange) return [forbiddenValue(field, bothWhy)];
  if (hasOptions) return optionErrors(value, policy, field);
  return policy.validRange ? rangeErrors(value, policy, field) : none;
};
