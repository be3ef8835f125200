import assert from "node:assert/strict";
import { test } from "node:test";
import { timeZone, zoneOf } from "./time-zone.ts";

const said: [what: string, sources: Parameters<typeof zoneOf>[0], zone: string | undefined][] = [
  ["a link", { link: "/usr/share/zoneinfo/Europe/Berlin", isSet: true }, "Europe/Berlin"],
  ["a relative link", { link: "../usr/share/zoneinfo/Etc/UTC", isSet: true }, "Etc/UTC"],
  ["a link to the posix tree", { link: "/x/zoneinfo/posix/Asia/Tokyo", isSet: true }, "Asia/Tokyo"],
  [
    "three parts",
    { link: "/x/zoneinfo/America/Indiana/Knox", isSet: true },
    "America/Indiana/Knox",
  ],
  ["an offset", { link: "/x/zoneinfo/Etc/GMT+5", isSet: true }, "Etc/GMT+5"],
  ["UTC", { link: "/x/zoneinfo/UTC", isSet: true }, "UTC"],
  ["a copy beside its name", { written: "Asia/Tokyo\n", isSet: true }, "Asia/Tokyo"],
  ["a copy alone", { isSet: true }, undefined],
  ["a link elsewhere", { link: "/srv/zone", written: "Asia/Tokyo", isSet: true }, undefined],
  ["nothing", { isSet: false }, "UTC"],
  ["the variable", { variable: "Asia/Tokyo", link: "/x/zoneinfo/UTC", isSet: true }, "Asia/Tokyo"],
  ["the variable with a colon", { variable: ":Asia/Tokyo", isSet: true }, "Asia/Tokyo"],
  ["the variable as a path", { variable: ":/x/zoneinfo/Asia/Tokyo", isSet: true }, "Asia/Tokyo"],
  ["a rule of POSIX", { variable: "CET-1CEST", isSet: true }, undefined],
  ["words", { variable: "no zone", isSet: true }, undefined],
];

for (const [what, sources, zone] of said) {
  test(`a machine's zone as ${what} has it`, () => assert.equal(zoneOf(sources), zone));
}

test("the zone of this machine is one that calendars know", () => {
  assert.doesNotThrow(() => new Intl.DateTimeFormat("en", { timeZone: timeZone() }));
});
