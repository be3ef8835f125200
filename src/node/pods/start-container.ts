// Makes and starts one container whose image, volumes and sandbox are there, and runs its postStart hook.
import { join } from "node:path";
import { containerConfig, terminationPathIn } from "./container-config.ts";
import type { AgentContext } from "../context.ts";
import { podDirectory, subPathDirectory } from "../directories.ts";
import { ConfigError } from "./config-error.ts";
import { environment } from "./environment.ts";
import { fileValues } from "./file-variables.ts";
import { handlerOf } from "./handler-of.ts";
import { runHandler } from "../probes/handlers.ts";
import { makeTerminationFile, writeHostsFile } from "./host-files.ts";
import type { Container, Pod } from "./pod.ts";
import { resourcesOf } from "../machine/resources.ts";
import type { SandboxConfig, SandboxStatus } from "../runtime.ts";
import type { Volume } from "../volumes/volume.ts";
import { VolumeError } from "../volumes/volume.ts";

export interface StartInput {
  pod: Pod;
  container: Container;
  attempt: number;
  imageId: string;
  sandbox: SandboxStatus;
  sandboxConfig: SandboxConfig;
  volumes: Map<string, Volume>;
  targetId?: string | undefined;
}

/** Why a container did not start, as `state.waiting` says it. */
export class StartError extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.name = "StartError";
    this.reason = reason;
  }
}

/** Turns any failure of `work` into a StartError with `reason`; ConfigErrors bring their own. */
async function failingAs<T>(reason: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof ConfigError) throw new StartError(error.reason, message);
    if (error instanceof VolumeError) throw new StartError("CreateContainerConfigError", message);
    throw new StartError(reason, message);
  }
}

async function configOf(context: AgentContext, input: StartInput) {
  const { pod, container, attempt, sandbox, imageId, volumes, targetId } = input;
  const { objects, facts, runtime, directories, memoryBytes, dns, devices } = context;
  const podIps = sandbox.ips.length > 0 ? sandbox.ips : facts.hostIps;
  const directory = podDirectory(directories, pod.metadata.uid);
  const cpusetCpus = context.cpus.cpusetOf(pod, container);
  const hostsPath = join(directory, "etc-hosts");
  const terminationPath = terminationPathIn(directory, container.name, attempt);
  const runAsNonRoot =
    container.securityContext?.runAsNonRoot ?? pod.spec["securityContext"]?.runAsNonRoot;
  const image = runAsNonRoot ? await runtime.imageStatus(container.image) : undefined;
  writeHostsFile(hostsPath, { pod, podIps, clusterDomain: dns.clusterDomain });
  makeTerminationFile(terminationPath);
  const files = await fileValues({ pod, container }, volumes);
  const config = await containerConfig({
    pod,
    container,
    attempt,
    imageId,
    image,
    environment: environment({ pod, container, objects, facts, podIps, files }),
    volumes,
    resources: { ...resourcesOf(pod, container, memoryBytes), ...(cpusetCpus && { cpusetCpus }) },
    hostsPath,
    terminationPath,
    targetId,
    canRecursiveReadOnly: handlerOf(context, pod)?.recursiveReadOnlyMounts ?? false,
    bindOpen: (name, place) =>
      context.mounts.bindOpen(join(subPathDirectory(directories, pod.metadata.uid), name), place),
  });
  return devices ? devices.configure(config, pod, container) : config;
}

async function postStart(context: AgentContext, input: StartInput, containerId: string) {
  const { pod, container, sandbox } = input;
  const hook = container.lifecycle?.postStart;
  if (!hook) return;
  const { runtime, clock, signal, event } = context;
  const podIp = sandbox.ips[0] ?? context.facts.hostIps[0] ?? "127.0.0.1";
  const timeoutMs = 600_000;
  const handler = { runtime, clock, container, containerId, podIp, timeoutMs, signal };
  const { ok, output } = await runHandler(hook, handler);
  if (ok) return;
  event(pod, "Warning", "FailedPostStartHook", `PostStartHook failed: ${output}`);
  const grace = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
  event(pod, "Normal", "Killing", "FailedPostStartHook");
  await runtime.stopContainer(containerId, grace);
}

/** Throws StartError. */
export async function startContainer(context: AgentContext, input: StartInput): Promise<string> {
  const { runtime, event } = context;
  const { pod, container, sandbox, sandboxConfig } = input;
  try {
    const config = await failingAs("CreateContainerConfigError", () => configOf(context, input));
    const id = await failingAs("CreateContainerError", () =>
      runtime.createContainer(sandbox.id, config, sandboxConfig),
    );
    const starting = failingAs("RunContainerError", () => runtime.startContainer(id));
    event(pod, "Normal", "Created", `Created container: ${container.name}`);
    await starting;
    event(pod, "Normal", "Started", `Started container ${container.name}`);
    await postStart(context, input, id);
    return id;
  } catch (error) {
    event(pod, "Warning", "Failed", `Error: ${(error as Error).message}`);
    throw error;
  }
}
