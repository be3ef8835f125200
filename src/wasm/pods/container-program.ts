// What a container is to run, as its runner is told: the same as in a bundle of containerd's, with what is the pod's
// below the folder that its runner sees. Pure.
import { join, resolve } from "node:path";
import type { ContainerConfig, SandboxConfig } from "../../node/runtime.ts";
import { flagsOf, programOf, volumesOf } from "../bundle.ts";
import type { BundleConfig, BundleMount } from "../bundle.ts";
import type { Examined } from "../examine.ts";
import { httpLimits } from "../experimental-http/limits.ts";
import { httpSettings } from "../http-settings.ts";
import type { Program } from "../program.ts";
import type { ModuleImage } from "./modules.ts";
import { sharedFolder, volumesFolder } from "./runner-command.ts";

/** In the shared folder. */
export const names = {
  log: "log",
  hosts: "hosts",
  resolvConf: "resolv.conf",
  module: "module.wasm",
  component: "component",
  volumes: volumesFolder,
} as const;

const seen = (name: string) => join(sharedFolder, name);

export interface Planned {
  config: ContainerConfig;
  sandbox: Pick<SandboxConfig, "annotations" | "hostname">;
  found: ModuleImage;
  examined: Examined;
}

function bundleOf({ config, sandbox, found }: Planned): BundleConfig {
  const { image, args } = found;
  const given = config.env.map(({ name, value }) => `${name}=${value}`);
  const mounts = config.mounts.map(({ hostPath, containerPath, readOnly }): BundleMount => ({
    destination: containerPath,
    type: "bind",
    source: hostPath,
    options: readOnly ? ["ro"] : [],
  }));
  return {
    process: {
      args,
      // As containerd has it: the first is for whoever says nothing else.
      env: [`HOSTNAME=${sandbox.hostname}`, ...image.env, ...given],
      cwd: config.workingDir || image.workingDir || "/",
    },
    mounts,
    linux: { resources: { memory: { limit: config.resources.memoryBytes ?? 0 } } },
    annotations: { ...sandbox.annotations, ...config.annotations },
  };
}

/** What the module's memory may grow to. */
export const limitOf = ({ resources: { memoryBytes = 0 } }: ContainerConfig) =>
  memoryBytes > 0 ? memoryBytes : undefined;

/** Volumes, those that hold others first. */
export function shownVolumes(planned: Planned): BundleMount[] {
  const depth = ({ destination }: BundleMount) => destination.split("/").filter(Boolean).length;
  return volumesOf(bundleOf(planned)).sort((a, b) => depth(a) - depth(b));
}

/** Throws in words for the container's status. */
export function containerProgram(planned: Planned, isFolder: (path: string) => boolean): Program {
  const { examined } = planned;
  const bundle = bundleOf(planned);
  const { annotations } = bundle;
  const program = programOf(bundle, isFolder);
  return {
    ...program,
    file: seen(names.module),
    log: seen(names.log),
    flags: flagsOf(bundle),
    preopens: program.preopens.map((one) => ({
      ...one,
      host: join(seen(names.volumes), one.host),
    })),
    ...(program.terminationLog !== undefined && {
      terminationLog: join(seen(names.volumes), resolve("/", program.terminationLog)),
    }),
    ...(examined.component && {
      component: seen(names.component),
      http: httpSettings(annotations),
    }),
    ...(examined.network && !examined.component && { experimentalHttp: httpLimits(annotations) }),
  };
}
