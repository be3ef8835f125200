// An OCI bundle whose program is a WebAssembly module, made to run that module under Node. Pure.
import { basename, join, resolve } from "node:path";

export interface BundleConfig {
  process: { args: string[]; env?: string[]; cwd: string; [field: string]: unknown };
  mounts?: { destination: string; type?: string; source?: string; options?: string[] }[];
  annotations?: Record<string, string>;
  [field: string]: unknown;
}

export interface NodeProgram {
  /** Node's own executable. */
  executable: string;
  /** The shared objects it needs, the dynamic loader among them. */
  libraries: string[];
  /** `wasm-run.ts`, or what the build made of it. */
  runner: string;
}

/** Where Node lies inside the container. */
const folder = "/.kerb";

/** True for a pod's own sandbox, whose program is no module. */
export const isSandbox = ({ annotations }: BundleConfig) =>
  annotations?.["io.kubernetes.cri.container-type"] === "sandbox";

/** The module's path inside the container. */
export function modulePath({ process: { args, cwd } }: BundleConfig): string {
  return resolve("/", cwd, args[0] ?? "");
}

export function wasmBundle(config: BundleConfig, program: NodeProgram): BundleConfig {
  const { executable, libraries, runner } = program;
  const path = (file: string) => join(folder, basename(file));
  // Read as a module wherever it lies: there is no package.json beside it.
  const script = join(folder, runner.endsWith(".ts") ? "run.mts" : "run.mjs");
  const node = join(folder, "node");
  const mount = (source: string, destination: string) => ({
    destination,
    type: "bind",
    source,
    options: ["bind", "ro", "nosuid", "nodev"],
  });
  const loader = libraries.find((file) => basename(file).startsWith("ld-"));
  const start = loader ? [path(loader), "--library-path", folder, node] : [node];
  return {
    ...config,
    process: {
      ...config.process,
      args: [
        ...start,
        "--disable-warning=ExperimentalWarning",
        script,
        modulePath(config),
        ...config.process.args.slice(1),
      ],
    },
    mounts: [
      ...(config.mounts ?? []),
      mount(executable, node),
      mount(runner, script),
      ...libraries.map((file) => mount(file, path(file))),
    ],
  };
}
