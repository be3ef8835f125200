// `kerb up --krustlet`: a second Node of this machine for pods that were written for Krustlet.
import { join } from "node:path";
import type { NodeConnection } from "../../lib/node-connection.ts";
import { startAgent } from "../../node/agent.ts";
import type { AgentOptions } from "../../node/agent.ts";
import { shareRuntime } from "../../node/shared-runtime.ts";
import { krustletNode } from "../../wasm/krustlet.ts";

export const krustletName = (node: string) => `${node}-wasm`;
export const krustletCgroup = (cgroup: string) => `${cgroup}-wasm`;

/** What `first`, the machine's own node, has to know of the second. */
function besideKrustlet(first: AgentOptions): AgentOptions {
  const { runtime } = first;
  return { ...first, runtime: runtime && shareRuntime(runtime) };
}

/** `options` of the machine's own node; `client` is the second's. */
function startKrustlet(
  options: AgentOptions,
  client: AgentOptions["client"],
): Promise<NodeConnection> {
  const { runtime, nodeName, directory, cgroupRoot } = options;
  const name = krustletName(nodeName);
  const { kubeletDirectory: _, ...rest } = options;
  return startAgent({
    ...rest,
    client,
    nodeName: name,
    directory: join(directory, "krustlet"),
    cgroupRoot: krustletCgroup(cgroupRoot),
    runtime: runtime && shareRuntime(runtime, name),
    identity: krustletNode,
    settings: { ...options.settings, podManifestPath: join(directory, "krustlet/manifests") },
  });
}

export type Agents = Map<string, NodeConnection>;

/** The machine's node, and the one beside it where there is a client for that. */
export async function startNodes(
  options: AgentOptions,
  second: AgentOptions["client"] | undefined,
): Promise<Agents> {
  const { nodeName } = options;
  if (!second) return new Map([[nodeName, await startAgent(options)]]);
  const [first, beside] = await Promise.all([
    startAgent(besideKrustlet(options)),
    startKrustlet(options, second),
  ]);
  return new Map([
    [nodeName, first],
    [krustletName(nodeName), beside],
  ]);
}
