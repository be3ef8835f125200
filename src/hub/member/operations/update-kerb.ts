// The site becomes another release. It says so at the hub before it does, and finds out afterwards what became
// of it: it may be the new release that looks, or the old one again.
import { complete, failed, notKerb, running } from "./host.ts";
import type { CarryOut } from "./host.ts";

const trying = "Switch";
const lookMs = 2000;

export const updateKerb: CarryOut = async ({ spec, status }, { kerb, hub }) => {
  if (!kerb) return notKerb;
  const release = spec.release!;
  const { version, trying: tried, failed: before } = kerb.releases.report();
  if (tried) return running(trying, `release ${tried.version} is to prove itself`, lookMs);
  if (version === release.version) return complete(`${version} runs`);
  if (kerb.configuration.report().trying) {
    return running("Wait", "other options are to prove themselves", lookMs);
  }
  if (status?.step === trying) {
    if (before?.version === release.version) return failed(`${before.message}; ${version} runs`);
    return {
      ...running(trying, `${version} stops`),
      againMs: lookMs,
      after: () => kerb.releases.become(release.version),
    };
  }
  await kerb.releases.stage(release, hub);
  return running(trying, `release ${release.version} is staged`);
};
