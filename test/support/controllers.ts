// Controllers at work against an API server in this process.
import { startGarbageCollector } from "../../src/controllers/garbage-collector.ts";
import { startControllers } from "../../src/controllers/runtime.ts";
import type { Controller, DiscoveredResource } from "../../src/controllers/runtime.ts";
import { builtinKinds, compareVersions } from "../../src/kinds/kinds.ts";
import { startCluster } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";

const discovered = (): DiscoveredResource[] =>
  builtinKinds()
    .all()
    .filter((kind) => !kind.virtual)
    .sort((a, b) => compareVersions(a.version, b.version))
    .map(({ plural, ...kind }) => ({ ...kind, resource: plural }));

export async function startControlled(
  controllers: Controller[],
  { collect = false, ...rest }: { collect?: boolean } & Parameters<typeof startCluster>[0] = {},
): Promise<Cluster> {
  const cluster = startCluster(rest);
  const found = discovered();
  const options = { ...cluster, discover: async () => found };
  await startControllers(controllers, options);
  if (collect) await startGarbageCollector(options);
  return cluster;
}
