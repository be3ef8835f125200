// Whether this process sees what its API server has, as a check of /readyz.
import type { Informers } from "../../client/informers.ts";
import type { ControlPlane } from "./control-plane.ts";

/** Kinds that come and go with their definitions are waited for by whoever needs them. */
export function tellUnsynced(
  { server, kinds }: Pick<ControlPlane, "server" | "kinds">,
  informers: Informers,
) {
  const isBuiltin = ({ group, version, resource }: ReturnType<Informers["unsynced"]>[number]) =>
    kinds.get(group, version, resource)?.schema.ref !== undefined;
  server.health.addReadiness("informer-sync", () => {
    const names = informers
      .unsynced()
      .filter(isBuiltin)
      .map(({ resource }) => resource);
    return names.length === 0 ? undefined : `not listed yet: ${names.join(", ")}`;
  });
}
