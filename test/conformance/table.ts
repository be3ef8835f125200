// The part of docs/compatibility.md that the conformance run writes.
import type { ConformanceTest, Results, Tier } from "./suite.ts";
import { tierNames } from "./suite.ts";

const needs: Record<Tier, string> = {
  A: "the API server",
  B: "and controllers",
  W: "and a program in a pod that the API server calls",
  C: "and pods that are reported Running",
  D: "and containers, volumes and networking",
};

const start = "<!-- conformance: written by npm run conformance -->";
const end = "<!-- /conformance -->";

const shortened = (name: string) =>
  name.replace(/ ?\[(Conformance|NodeConformance|LinuxOnly|Serial|Slow|Disruptive)\]/g, "");

/** Counts by tier, then every failure with its reason. Pure. */
export function conformanceTable(tests: ConformanceTest[], results: Results): string {
  const passed = (of: ConformanceTest[]) => of.filter(({ name }) => results[name] === "passed");
  const rows = tierNames.map((tier) => {
    const own = tests.filter((test) => test.tier === tier);
    const tried = own.filter(({ name }) => results[name]);
    return `| ${tier} | ${needs[tier]} | ${own.length} | ${tried.length} | ${passed(own).length} |`;
  });
  const tried = tests.filter(({ name }) => results[name]);
  const failures = tried
    .filter(({ name }) => results[name] !== "passed")
    .map(({ tier, name }) => `- ${tier}: ${shortened(name)}: ${results[name]}`);
  return [
    `**${passed(tests).length} of ${tests.length}** conformance tests of the suite pass.`,
    "",
    "| tier | needs | tests | tried | pass |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    ...(failures.length ? ["", "Those that were tried and do not pass:", "", ...failures] : []),
  ].join("\n");
}

/** `page` with its table replaced; the markers must be there. Pure. */
export function withTable(page: string, table: string): string {
  const from = page.indexOf(start);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the page lacks ${start} and ${end}`);
  return `${page.slice(0, from + start.length)}\n\n${table}\n\n${page.slice(to)}`;
}
