// The official suite as data: its tests by tier, and what a run of its program says of each.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { run, runToEnd } from "../support/command.ts";

/** What a tier needs is told in docs/compatibility.md. */
export type Tier = "A" | "B" | "C" | "W" | "D";
export const tierNames: Tier[] = ["A", "B", "W", "C", "D"];

export interface ConformanceTest {
  name: string;
  file: string;
  tier: Tier;
}

/** Tier to file to parts of test names; the first tier with a match has the test. */
export type Rules = Record<Tier, Record<string, string[]>>;

const rulesFile = join(import.meta.dirname, "tiers.json");

/** Pure. */
export function tierOf({ name, file }: { name: string; file: string }, rules: Rules): Tier {
  const matches = (tier: Tier) =>
    [...(rules[tier][file] ?? []), ...(rules[tier][""] ?? [])].some((part) => name.includes(part));
  const tier = tierNames.find(matches);
  if (!tier) throw new Error(`no tier for ${file}: ${name}`);
  return tier;
}

/** All tests that the program itself calls conformance tests. */
export async function conformanceTests(binary: string): Promise<ConformanceTest[]> {
  const rules = JSON.parse(readFileSync(rulesFile, "utf8")) as Rules;
  const listed = parse(await run(binary, ["--list-conformance-tests"])) as {
    codename: string;
    file: string;
  }[];
  return listed.map(({ codename, file: path }) => {
    const test = { name: codename, file: path.replace(/^test\/e2e\//, "") };
    return { ...test, tier: tierOf(test, rules) };
  });
}

/** "passed", or in a few words why not. */
export type Results = Record<string, string>;

interface Spec {
  LeafNodeType: string;
  LeafNodeText: string;
  ContainerHierarchyTexts: string[] | null;
  State: string;
  Failure?: { Message: string };
}

/** What ginkgo's JSON report says of the tests that ran. Pure. */
export function readReport(text: string): Results {
  const results: Results = {};
  const [suite] = JSON.parse(text) as { SpecReports: Spec[] | null }[];
  for (const spec of suite?.SpecReports ?? []) {
    if (spec.LeafNodeType !== "It") {
      if (spec.State === "failed") results[spec.LeafNodeType] = firstLines(spec);
      continue;
    }
    const name = [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].join(" ");
    if (spec.State === "passed") results[name] = "passed";
    else if (spec.Failure) results[name] = firstLines(spec);
  }
  return results;
}

const messageMax = 300;
/** Folders of this machine say nothing to others. */
const localPath = /(?<![\w.:/-])\/(?:[\w.-]+\/)*(?=(?:kubectl|kubeconfig)\b)/g;
const firstLines = ({ State, Failure }: Spec) =>
  `${State}: ${(Failure?.Message ?? "").replace(/\s+/g, " ").replace(localPath, "").trim()}`.slice(
    0,
    messageMax,
  );

export interface RunOptions {
  binary: string;
  kubeconfig: string;
  kubectl: string;
  nodes: number;
  timeoutMs: number;
}

const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Runs `tests` in one process of the program. Resolves with its results and its whole output. */
export async function runTests(tests: ConformanceTest[], options: RunOptions) {
  const directory = mkdtempSync(join(tmpdir(), "kerb-report-"));
  const report = join(directory, "report.json");
  const patience = Math.floor(options.timeoutMs / 1000);
  try {
    const { stdout, stderr } = await runToEnd(
      options.binary,
      [
        `--kubeconfig=${options.kubeconfig}`,
        `--kubectl-path=${options.kubectl}`,
        `--num-nodes=${options.nodes}`,
        "--provider=skeleton",
        "--allowed-not-ready-nodes=-1",
        "--dump-logs-on-failure=false",
        "--disable-log-dump",
        `--ginkgo.focus= (${tests.map((test) => escape(test.name)).join("|")})$`,
        `--ginkgo.timeout=${patience}s`,
        "--ginkgo.grace-period=10s",
        "--ginkgo.no-color",
        `--ginkgo.json-report=${report}`,
      ],
      { timeoutMs: options.timeoutMs + 60_000, cwd: directory },
    );
    const results = readReport(readFileSync(report, "utf8"));
    return { results, output: stdout + stderr };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
