// The GitOps wing: Flux's kinds, and what keeps them.
import { ensureDefinitions } from "../client/definitions.ts";
import { startControllers } from "../controllers/runtime.ts";
import type { ControllersOptions } from "../controllers/runtime.ts";
import { kustomization } from "./apply/kustomization.ts";
import type { GitOpsHost } from "./host.ts";
import { gitOpsDefinitions } from "./kinds/resources.ts";
import { Artifacts } from "./sources/artifacts.ts";
import { gitRepository } from "./sources/git-repository.ts";
import { ociRepository } from "./sources/oci-repository.ts";
import { sourceController } from "./sources/source-controller.ts";

export async function startGitOps({ host, ...options }: ControllersOptions & { host: GitOpsHost }) {
  await ensureDefinitions(options.client, options.clock, gitOpsDefinitions);
  const artifacts = new Artifacts(host.copies);
  const sources = [gitRepository(host), ociRepository(host)];
  await startControllers(
    [
      ...sources.map((source) => sourceController(source, artifacts)),
      kustomization({ artifacts, strategic: host.strategic }),
    ],
    options,
  );
}
