// Runs a suite with node:test: whole, or the files that are named.
import { join } from "node:path";
import { runner } from "../test/support/runner.ts";
import { inForeground } from "./foreground.js";

interface Suite {
  does: string;
  files: string[];
  /** Real components share the machine's network. */
  isAlone?: boolean;
}

const suites: Record<string, Suite> = {
  unit: {
    does: "Unit and contract tests, fuzzing and a small simulated fleet. They need nothing but Node; two minutes.",
    files: [
      "src/**/*.test.ts",
      "test/*.test.ts",
      "test/conformance/*.test.ts",
      "test/contract/*.test.ts",
      "test/fuzz/*.test.ts",
      "test/judged/*.test.ts",
      "test/sim/*.test.ts",
    ],
  },
  e2e: {
    does: "Real clients, containers and virtual machines, and crashes. As root; ten minutes.",
    files: ["test/crash/*.test.ts", "test/e2e/*.test.ts"],
    isAlone: true,
  },
  servers: {
    does: "Several servers of one cluster that are killed in turn: for five minutes what e2e does for half a one.",
    files: ["test/crash/servers.test.ts"],
  },
  fleet: {
    does: "Hubs and sites that move, are updated and get new authorities: a minute of real processes.",
    files: ["test/fleet/*.test.ts"],
    isAlone: true,
  },
  nodes: {
    does: "Machines that join, are drained, cut off, rebooted and updated: six minutes, as root.",
    files: ["test/nodes/*.test.ts"],
    isAlone: true,
  },
  vms: {
    does: "Virtual machines from manifest to export, moved, starved of disk and cut off. As root.",
    files: ["test/vms/*.test.ts"],
    isAlone: true,
  },
};

const [name = "", ...args] = process.argv.slice(2);
const suite = suites[name];
if (!suite) throw new Error(`which suite? one of: ${Object.keys(suites).join(", ")}`);
const example = suite.files.at(-1)!.replace(/\*\*\/\*|\*/, "NAME");
const { args: wanted } = runner(name, suite.does, { "": "all of it", [example]: "one file" })
  .argument("[files...]", "only these")
  .parse(args, { from: "user" });
const env = { ...process.env, ...(name === "servers" && { KERB_SERVERS_SECONDS: "300" }) };
const root = join(import.meta.dirname, "..");
const flags = ["--test", "--test-timeout=600000"];
if (suite.isAlone) flags.push("--test-concurrency=1");
const files = wanted.length > 0 ? wanted : suite.files;
process.exit(await inForeground(process.execPath, [...flags, ...files], { cwd: root, env }));
