// What a running site may become: another release, or itself with other options.
import type { Plugs } from "../../server/policy.ts";
import { plugConfiguration } from "../configuration/switch.ts";
import type { ConfigurationSwitch } from "../configuration/switch.ts";
import { plugReleases } from "../releases/switch.ts";
import type { ReleaseSwitch } from "../releases/switch.ts";
import { stagedRelease } from "../releases/update.ts";

export interface Switches {
  releases: ReleaseSwitch;
  configuration: ConfigurationSwitch;
}

export function plugSwitches(
  plugs: Plugs,
  { releases, configuration }: Switches,
  directory: string,
) {
  plugReleases(plugs, { releases, staged: (version) => stagedRelease(directory, version) });
  plugConfiguration(plugs, configuration);
}
