// `npm test`: prepare, then the whole gate; `npm run ok`: its half that needs no real components. Each step
// says what it is; the first failure ends it.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fetchClients } from "./fetch-clients.js";
import { fetchGuest } from "./fetch-guest.js";
import { modernNode, prepare, root } from "./prepare.js";

const isFast = process.argv[2] === "fast";
prepare({ forTests: !isFast });
if (!isFast) {
  fetchClients();
  fetchGuest();
}
const node = modernNode();
const bin = (name) => join(root, "node_modules/.bin", name);
const steps = [
  ["format", bin("oxfmt"), "--check", "."],
  ["lint", bin("oxlint"), "--type-aware"],
  ["types", bin("tsc"), "--noEmit"],
  ["unused code", bin("knip")],
  ["build", node, "tools/build.ts"],
  ["unit", node, "tools/run-tests.ts", "unit"],
  ...(isFast ? [] : [["end to end", node, "tools/run-tests.ts", "e2e"]]),
];
const env = {
  ...process.env,
  PATH: `${join(node, "..")}:${join(root, "node_modules/.bin")}:${process.env.PATH}`,
};
for (const [name, command, ...args] of steps) {
  const started = performance.now();
  console.log(`\n== ${name}`);
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env,
  });
  console.log(
    `== ${name}: ${status === 0 ? "ok" : "FAILED"} in ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  if (status !== 0) process.exit(1);
}
