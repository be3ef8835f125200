// `kerb up --gitops`: the wing with what it needs of this machine. Loaded only when asked for.
import { join } from "node:path";
import { startGitOps } from "../../gitops/start.ts";
import { builtinKinds } from "../../kinds/kinds.ts";
import type { ControlParts } from "../wings/acting-parts.ts";
import { strategicMerge } from "../strategic-merge.ts";
import { copiesIn } from "./copies.ts";
import { findInGit } from "./git.ts";
import { findInRegistry } from "./registry.ts";

export function controlGitOps({
  plane,
  directory,
  log,
  ...parts
}: ControlParts & { directory: string }) {
  const own = join(directory, "gitops");
  return startGitOps({
    ...parts,
    client: plane.client("system:kerb-gitops"),
    discover: plane.discover,
    log: log.with({ room: "gitops" }),
    host: {
      git: (ask) => findInGit(own, ask),
      oci: findInRegistry,
      copies: copiesIn(own),
      strategic: strategicMerge(builtinKinds()),
    },
  });
}
