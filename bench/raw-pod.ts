// A pod by raw CRI calls, as a baseline. When the agent starts it removes sandboxes that no pod owns, so it must be there before.
import { join } from "node:path";
import type { ContainerConfig, Runtime, SandboxConfig } from "../src/node/runtime.ts";
import type { Site } from "../test/support/site.ts";

const sandboxOf = (site: Site, i: number): SandboxConfig => ({
  podUid: `raw-${i}`,
  namespace: "default",
  name: `raw-${i}`,
  attempt: 0,
  hostname: `raw-${i}`,
  labels: {},
  annotations: {},
  hostNetwork: false,
  hostPid: false,
  hostIpc: false,
  shareProcessNamespace: false,
  dns: { servers: [], searches: [], options: [] },
  sysctls: {},
  portMappings: [],
  logDirectory: join(site.directory, "logs/raw"),
  cgroupParent: `/kerb-raw/${i}`,
  securityContext: {},
  handler: "",
});

export interface Program {
  image: string;
  command: string[];
}

const containerOf = ({ image, command }: Program): ContainerConfig => ({
  name: "main",
  attempt: 0,
  image,
  imageRef: image,
  command,
  args: [],
  workingDir: "",
  env: [],
  mounts: [],
  devices: [],
  labels: {},
  annotations: {},
  logPath: "main.log",
  stdin: false,
  stdinOnce: false,
  tty: false,
  resources: {},
  securityContext: {},
});

/** Resolves with the sandbox's id once its container runs. */
export async function startRaw(
  runtime: Runtime,
  { site, i, program }: { site: Site; i: number; program: Program },
): Promise<string> {
  const sandbox = sandboxOf(site, i);
  const id = (await runtime.runSandbox(sandbox))!;
  await runtime.startContainer(await runtime.createContainer(id, containerOf(program), sandbox));
  return id;
}

export async function endRaw(runtime: Runtime, id: string) {
  await runtime.stopSandbox(id);
  await runtime.removeSandbox(id);
}
