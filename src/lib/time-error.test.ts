import assert from "node:assert/strict";
import { test } from "node:test";
import { base64Error } from "./base64-error.ts";
import { timeError } from "./time-error.ts";

for (const [text, precision, wanted] of [
  ["2020-02-29T23:59:59Z", "seconds", undefined],
  ["2020-02-29T23:59:59.5+01:00", "seconds", undefined],
  ["2020-02-29T23:59:59.000001Z", "micros", undefined],
  ["2020-02-29T23:59:59Z", "micros", /cannot parse "Z" as ".000000"$/],
  ["", "seconds", /^parsing time "" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006"$/],
  ["2020-02-29 23:59:59Z", "seconds", /cannot parse " 23:59:59Z" as "T"$/],
  ["2020-02-29T23:59:59", "seconds", /cannot parse "" as "Z07:00"$/],
  ["2020-02-29T23:59:59Zx", "seconds", /extra text: "x"$/],
  ["2021-02-29T23:59:59Z", "seconds", /day out of range$/],
  ["2020-13-29T23:59:59Z", "seconds", /month out of range$/],
] as [string, "seconds" | "micros", RegExp | undefined][]) {
  test(`${JSON.stringify(text)} is ${wanted ? "no" : "a"} time in ${precision}`, () => {
    const told = timeError(text, precision);
    if (wanted) assert.match(told ?? "", wanted);
    else assert.equal(told, undefined);
  });
}

for (const [text, place] of [
  ["", undefined],
  ["YQ==", undefined],
  ["YW\nE=", undefined],
  ["YQ", 0],
  ["YWFhYQ", 4],
  ["YW E=", 2],
  ["-_-_", 0],
  ["====", 0],
  ["YQ=", 3],
  ["YQ=a", 3],
  ["YQ==YQ==", 4],
] as [string, number | undefined][]) {
  test(`${JSON.stringify(text)} is ${place === undefined ? "base64" : "refused where it goes wrong"}`, () => {
    const told = place === undefined ? undefined : `illegal base64 data at input byte ${place}`;
    assert.equal(base64Error(text), told);
  });
}
