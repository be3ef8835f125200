// Whose node this machine is, by what name, and the identity that its server gave it. These are one decision: until the
// server has answered nothing is decided, and whoever mistyped an address or came too late with a token tries again
// with other words, in the same folder.
import { existsSync } from "node:fs";
import type { JoinOptions } from "../../cli/join.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Random } from "../../lib/random.ts";
import { readSettings, settle, unsettle } from "../site/site-settings.ts";
import type { SiteSettings } from "../site/site-settings.ts";
import { joinedAddressesFile } from "./node-addresses.ts";
import { hasIdentity, openIdentity } from "./node-identity.ts";
import type { NodeIdentity } from "./node-identity.ts";

export interface SettledNode {
  settings: SiteSettings & { server: string };
  identity: NodeIdentity;
}

type Words = Pick<JoinOptions, "token" | "caHash" | "name"> & { server?: string };

interface Where {
  directory: string;
  defaultPort: number;
  /** Where sites of this machine claim their addresses. */
  slots: string | undefined;
  clock: Clock;
  random: Random;
}

/** One that was up once has addresses. */
const isHalf = (directory: string) =>
  readSettings(directory)?.server !== undefined &&
  !hasIdentity(directory) &&
  !existsSync(joinedAddressesFile(directory));

/** From disk, or by what was said. Throws an Error that says what to do. */
export async function settleNode(
  { server: asked, token, caHash, name }: Words,
  { directory, defaultPort, slots, clock, random }: Where,
): Promise<SettledNode> {
  const server = asked === undefined ? undefined : new URL(asked).origin;
  // A power cut may have come between the decision and the answer.
  if (isHalf(directory)) unsettle(directory, slots);
  if (!server && !readSettings(directory))
    throw new Error("which site? kerb token create prints the whole command there");
  const { settings } = settle(directory, {
    defaultPort,
    slots,
    ...(server && { server }),
    ...(name !== undefined && { name }),
  });
  if (settings.server === undefined)
    throw new Error(`${directory} holds a site of its own; start it with: kerb up`);
  try {
    const known = { directory, server: settings.server, name: settings.name, clock, random };
    const secrets = { ...(token && { token }), ...(caHash && { caHash }) };
    const identity = await openIdentity({ ...known, ...secrets });
    return { settings: { ...settings, server: settings.server }, identity };
  } catch (error) {
    if (isHalf(directory)) unsettle(directory, slots);
    throw error;
  }
}
