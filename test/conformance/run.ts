// Runs the official conformance program against Kerb and writes what passed into docs/compatibility.md:
// results.json remembers every test's last result; for one that fails, a reason written there by hand stays until the
// test passes.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseCount } from "../../src/cli/up.ts";
import { startRegistry } from "../support/registry.ts";
import { runner } from "../support/runner.ts";
import { kerb, startSite } from "../support/site.ts";
import { startCluster } from "./cluster.ts";
import { importSuiteImages } from "./images.ts";
import { conformanceTests, runTests } from "./suite.ts";
import type { ConformanceTest, Results, RunOptions } from "./suite.ts";
import { conformanceTable, withTable } from "./table.ts";

const root = join(import.meta.dirname, "../..");
const resultsFile = join(import.meta.dirname, "results.json");
const page = join(root, "docs/compatibility.md");

/** What must not happen the suite awaits for five minutes. */
const patienceMs = 330_000;

interface Options {
  binary: string;
  tier?: string;
  focus?: string;
  kubeconfig?: string;
  programs?: string;
  kubectl: string;
  nodes: number;
  output?: string;
  seconds: number;
  failing?: boolean;
  list?: boolean;
}

const values = runner(
  "conformance",
  "Runs Kubernetes' official conformance program against Kerb and writes what passed into " +
    "docs/compatibility.md: against a cluster, a control plane whose two nodes only report (the " +
    "default), or a whole site that runs pods. All of it takes hours.",
  {
    "--binary ./e2e.test --list": "which tests there are",
    "--binary ./e2e.test --focus ConfigMap": "some of them",
    "--binary ./e2e.test --programs ./programs": "with pods that run",
  },
)
  .requiredOption("--binary <file>", "e2e.test, built from Kubernetes' source")
  .option("--tier <letters>", "only tests of these tiers")
  .option("--focus <regex>", "only tests whose file and name match")
  .option("--failing", "only tests that did not pass last time")
  .option("--list", "say which tests that would be, and run none")
  .option("--kubeconfig <file>", "of the cluster to test")
  .option("--programs <dir>", "test a site that runs pods: where agnhost and sample-apiserver lie")
  .option("--kubectl <file>", "that the tests call", join(root, ".cache/clients/kubectl"))
  .option("--nodes <n>", "tests at once", parseCount, 2)
  .option("--seconds <n>", "that a test may take, beside what it must wait", parseCount, 120)
  .option("--output <dir>", "keep what the program says")
  .parse()
  .opts<Options>();

const readResults = () => JSON.parse(readFileSync(resultsFile, "utf8")) as Results;

/** Tests of one file share a process of the program. */
function groups(tests: ConformanceTest[]): ConformanceTest[][] {
  return [...Map.groupBy(tests, (test) => test.file).values()];
}

function remember(found: Results, all: ConformanceTest[]) {
  const results = readResults();
  const known = new Set(all.map((test) => test.name));
  for (const [name, result] of Object.entries(found)) {
    const explained = results[name] && results[name] !== "passed";
    if (known.has(name) && (result === "passed" || !explained)) results[name] = result;
  }
  const sorted = Object.fromEntries(Object.entries(results).toSorted());
  writeFileSync(resultsFile, `${JSON.stringify(sorted, null, 2)}\n`);
  writeFileSync(page, withTable(readFileSync(page, "utf8"), conformanceTable(all, sorted)));
}

function keepOutput(file: string, output: string) {
  if (!values.output) return;
  mkdirSync(values.output, { recursive: true });
  writeFileSync(join(values.output, `${file.replaceAll("/", "-")}.log`), output);
}

async function runGroup(group: ConformanceTest[], options: Omit<RunOptions, "timeoutMs">) {
  const { file } = group[0]!;
  const timeoutMs = patienceMs + values.seconds * 1000 * group.length;
  const { results, output } = await runTests(group, { ...options, timeoutMs });
  keepOutput(file, output);
  for (const { name } of group) {
    const result = results[name] ?? "did not run";
    console.log(result === "passed" ? `ok     ${name}` : `FAIL   ${name}\n         ${result}`);
  }
  for (const [name, result] of Object.entries(results)) {
    if (!group.some((test) => test.name === name)) console.log(`FAIL   ${name}: ${result}`);
  }
  return results;
}

async function chooseCluster() {
  if (values.kubeconfig) return { kubeconfig: resolve(values.kubeconfig), stop: async () => {} };
  if (!values.programs) return startCluster();
  // What is to be pulled always comes from a registry of this machine.
  const registry = await startRegistry({ isOpen: true });
  const site = await startSite("--registry-mirror", `registry.k8s.io=http://${registry.host}`);
  const stop = async () => {
    await site.remove();
    registry.stop();
  };
  for (const name of await importSuiteImages(kerb, site.directory, resolve(values.programs))) {
    await registry.push(site, name, name.slice(name.indexOf("/") + 1));
  }
  return { kubeconfig: site.kubeconfig, stop };
}

async function main() {
  const binary = resolve(values.binary);
  const all = await conformanceTests(binary);
  const focus = new RegExp(values.focus ?? "");
  const before = readResults();
  const chosen = all.filter(
    ({ name, tier, file }) =>
      (!values.tier || values.tier.includes(tier)) &&
      focus.test(`${file}: ${name}`) &&
      (!values.failing || before[name] !== "passed"),
  );
  if (values.list) return chosen.forEach(({ tier, file, name }) => console.log(tier, file, name));
  const cluster = await chooseCluster();
  const { kubeconfig } = cluster;
  const kubectl = resolve(values.kubectl);
  let passed = 0;
  try {
    for (const group of groups(chosen)) {
      const options = { binary, kubeconfig, kubectl, nodes: values.nodes };
      const found = await runGroup(group, options);
      // One that takes too long takes the time of those behind it.
      for (const test of group.length > 1 ? group : []) {
        if (!found[test.name]) Object.assign(found, await runGroup([test], options));
      }
      remember(found, all);
      passed += group.filter(({ name }) => found[name] === "passed").length;
    }
  } finally {
    await cluster.stop();
  }
  console.log(`${passed} of ${chosen.length} passed`);
  process.exitCode = passed === chosen.length ? 0 : 1;
}

await main();
process.exit();
