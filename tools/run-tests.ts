// Runs a suite with node:test. `unit` needs nothing but Node; `e2e` runs real components, one file at a
// time because they share the machine's network.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const suites: Record<string, string[]> = {
  unit: [
    "src/**/*.test.ts",
    "test/*.test.ts",
    "test/conformance/*.test.ts",
    "test/contract/*.test.ts",
    "test/fuzz/*.test.ts",
    "test/sim/*.test.ts",
  ],
  // Five minutes of what `e2e` does for half a one.
  servers: ["test/crash/servers.test.ts"],
  // A minute of hubs and sites that move, are updated and get new authorities.
  fleet: ["--test-concurrency=1", "test/fleet/*.test.ts"],
  // Six minutes of machines that join, are drained, cut off, rebooted and updated.
  nodes: ["--test-concurrency=1", "test/nodes/*.test.ts"],
  // Guests moved, starved of disk and cut off.
  vms: ["--test-concurrency=1", "test/vms/*.test.ts"],
  e2e: ["--test-concurrency=1", "test/crash/*.test.ts", "test/e2e/*.test.ts"],
};
if (process.argv[2] === "servers") process.env["KERB_SERVERS_SECONDS"] = "300";
const suite = suites[process.argv[2] ?? ""];
if (!suite) throw new Error(`which suite? one of: ${Object.keys(suites).join(", ")}`);
const root = join(import.meta.dirname, "..");
const args = ["--test", "--test-timeout=600000", ...suite];
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
process.exit(status ?? 1);
