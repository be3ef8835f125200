// The site starts anew with other options of `kerb up`. It says so at the hub before it does, and finds out
// afterwards whether it has them, or those before again.
import { optionsText } from "../../../lib/configurable-options.ts";
import { complete, failed, notKerb, running } from "./host.ts";
import type { CarryOut } from "./host.ts";

const restart = "Restart";
const lookMs = 2000;

export const changeConfiguration: CarryOut = async ({ metadata, spec, status }, { kerb }) => {
  if (!kerb) return notKerb;
  const settings = spec.configuration!;
  const { configuration, releases } = kerb;
  const { good, trying, proved, failed: before, commandLine } = configuration.report();
  if (trying) return running(restart, "the change is to prove itself", lookMs);
  if (before?.change === metadata.uid) {
    return failed(`${before.message}; the site has ${optionsText(good)}`);
  }
  const kept = settings.map(({ option }) => option).filter((one) => commandLine.includes(one));
  const but = kept.length > 0 ? `; the command line wins for ${[...new Set(kept)].join(", ")}` : "";
  const done = () => complete(`the site has ${optionsText(good)}${but}`);
  if (proved === metadata.uid || !configuration.plan(settings)) return done();
  if (releases.report().trying) return running("Wait", "a release is to prove itself", lookMs);
  if (status?.step !== restart) return running(restart, "the site is to start anew");
  return {
    ...running(restart, "the site starts anew"),
    againMs: lookMs,
    after: () => configuration.request(metadata.uid, settings),
  };
};
