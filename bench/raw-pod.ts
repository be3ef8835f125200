// A pod by raw CRI calls, as a baseline. When the agent starts it removes sandboxes that no pod owns, so it must be there before.
import { join } from "node:path";
import type { Runtime } from "../src/node/runtime.ts";
import { plainContainer, plainSandbox } from "../test/support/plain-pod.ts";
import type { Site } from "../test/support/site.ts";

const sandboxOf = (site: Site, i: number) =>
  plainSandbox(`raw-${i}`, {
    logDirectory: join(site.directory, "logs/raw"),
    cgroupParent: `/kerb-raw/${i}`,
  });

export interface Program {
  image: string;
  command: string[];
}

/** Resolves with the sandbox's id once its container runs. */
export async function startRaw(
  runtime: Runtime,
  { site, i, program: { image, command } }: { site: Site; i: number; program: Program },
): Promise<string> {
  const sandbox = sandboxOf(site, i);
  const id = (await runtime.runSandbox(sandbox))!;
  await runtime.startContainer(
    await runtime.createContainer(id, plainContainer(image, { command }), sandbox),
  );
  return id;
}

export async function endRaw(runtime: Runtime, id: string) {
  await runtime.stopSandbox(id);
  await runtime.removeSandbox(id);
}
