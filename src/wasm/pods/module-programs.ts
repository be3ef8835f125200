// Modules as programs of pods without containerd: what of a pod's images is a module, and what its runner is told and
// shown of it.
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ProcessPlan, ProcessPrograms } from "../../node/process-programs.ts";
import type { ContainerConfig, SandboxConfig } from "../../node/runtime.ts";
import { runnerMemoryBytes } from "../bundle.ts";
import { refuseSecurity } from "../refused-security.ts";
import { containerProgram, limitOf, names, shownVolumes } from "./container-program.ts";
import type { Planned } from "./container-program.ts";
import { Looks } from "./looks.ts";
import type { LooksOptions } from "./looks.ts";
import { suits } from "./suits.ts";

const isFolder = (path: string) => statSync(path).isDirectory();

function filesOf({ found, examined: { component } }: Planned): ProcessPlan["files"] {
  const ofComponent = (name: string) => ({
    source: join(component!, name),
    name: join(names.component, name),
  });
  const module = { source: found.file, name: names.module };
  return [module, ...(component ? readdirSync(component).map(ofComponent) : [])];
}

export class ModulePrograms implements ProcessPrograms {
  readonly #looks: Looks;

  constructor(options: LooksOptions) {
    this.#looks = new Looks(options);
  }

  suits(config: SandboxConfig) {
    return suits(config);
  }

  likelyKind(config: SandboxConfig) {
    return this.#looks.likelyKind(config);
  }

  kind(config: SandboxConfig) {
    return this.#looks.kind(config);
  }

  lackImages(config: SandboxConfig) {
    return this.#looks.lackImages(config);
  }

  async plan(config: ContainerConfig, sandbox: SandboxConfig): Promise<ProcessPlan> {
    const words = { ...config, image: config.imageRef, imageId: config.image };
    const memoryBytes = limitOf(config);
    const looked = await this.#looks.at(words, config.securityContext, memoryBytes);
    if (looked?.found.image.id !== config.image) {
      const [program] = config.command;
      throw new Error(
        `${program === undefined ? "" : `${program} in `}${config.imageRef} is no module, and ` +
          "this pod was made for modules only; make the pod anew to have both in it",
      );
    }
    refuseSecurity(config.securityContext);
    const planned = { ...looked, config, sandbox };
    return {
      kind: looked.kind,
      imageName: looked.found.image.imageId,
      program: containerProgram(planned, isFolder),
      files: filesOf(planned),
      volumes: shownVolumes(planned).map(({ source = "", destination, options = [] }) => ({
        ...{ source, path: resolve("/", destination) },
        readOnly: options.includes("ro"),
      })),
      memoryBytes,
      ownMemoryBytes: runnerMemoryBytes,
    };
  }
}
