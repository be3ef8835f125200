// GPUs and accelerators of the machine: NVIDIA, AMD, Intel and Edge TPUs, with model and memory. The
// Configuration's capacity is into how many slices of time each is shared.
import { readDetails } from "../discovery/details.ts";
import { filterOf, passes } from "../discovery/filter.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { DiscoveryHandler } from "../discovery/handler.ts";
import { drmDevices } from "../gpu/drm.ts";
import { nvidiaLook } from "../gpu/nvidia.ts";
import { tpuDevices } from "../gpu/tpu.ts";
import { everyMsIn, poll } from "../watch/poll.ts";

function wishesIn(text: string) {
  const details = readDetails(text, ["vendors", "models", "memoryBytesMin", "intervalSeconds"]);
  const least: unknown = details["memoryBytesMin"] ?? 0;
  if (typeof least !== "number" || least < 0) {
    throw new DetailsError("discoveryDetails.memoryBytesMin: expected a number of bytes");
  }
  return {
    vendors: filterOf(details, "vendors"),
    models: filterOf(details, "models"),
    least,
    everyMs: everyMsIn(details),
  };
}

export const gpu: DiscoveryHandler = {
  name: "gpu",
  shared: false,
  check: wishesIn,
  async *discover({ details, signal }, { clock, paths, run }) {
    const { vendors, models, least, everyMs } = wishesIn(details);
    const world = { root: paths.root, run };
    const nvidia = nvidiaLook(world, clock, signal);
    const look = async () =>
      [...(await nvidia()), ...drmDevices(world), ...tpuDevices(world)].filter(
        ({ properties }) =>
          passes(vendors, [properties["GPU_VENDOR"]!]) &&
          passes(models, [properties["GPU_MODEL"]!]) &&
          Number(properties["GPU_MEMORY_BYTES"] ?? 0) >= least,
      );
    yield* poll(look, { clock, signal, everyMs });
  },
};
