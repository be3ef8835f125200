// Cameras on the network: WS-Discovery asks who is there, ONVIF's device service who that is.
import { readDetails } from "../discovery/details.ts";
import { filterOf, passes } from "../discovery/filter.ts";
import type { Filter } from "../discovery/filter.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device, DiscoveryHandler, HandlerWorld } from "../discovery/handler.ts";
import { credentials } from "../onvif/credentials.ts";
import { cameraAddress } from "../onvif/messages.ts";
import type { CameraAddress, Credential, ProbeMatch } from "../onvif/messages.ts";
import { askCamera, probeNetwork } from "../onvif/network.ts";
import { poll } from "../watch/poll.ts";
import { trustOf } from "../network/trust.ts";
import type { Trust } from "../network/trust.ts";

/** Probes and their answers are datagrams. */
const missesMax = 3;
const timeoutSecondsMax = 60;
const camerasMax = 4096;
const asksAtOnce = 32;

interface Filters {
  ip: Filter | undefined;
  mac: Filter | undefined;
  scopes: Filter | undefined;
  uuids: Filter | undefined;
  waitMs: number;
}

const fields = ["ipAddresses", "macAddresses", "scopes", "uuids", "discoveryTimeoutSeconds"];

function filtersIn(text: string): Filters {
  const details = readDetails(text, fields);
  const seconds = details["discoveryTimeoutSeconds"] ?? 1;
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > timeoutSecondsMax) {
    throw new DetailsError(
      `discoveryDetails.discoveryTimeoutSeconds: expected 1 to ${timeoutSecondsMax}`,
    );
  }
  return {
    ip: filterOf(details, "ipAddresses"),
    mac: filterOf(details, "macAddresses"),
    scopes: filterOf(details, "scopes"),
    uuids: filterOf(details, "uuids"),
    waitMs: seconds * 1000,
  };
}

interface Camera {
  url: string;
  uuid: string;
}

/** Who answered and may pass, before they are asked for their address. */
export function camerasIn(matches: ProbeMatch[], { scopes, uuids }: Filters): Map<string, Camera> {
  const cameras = new Map<string, Camera>();
  for (const match of matches) {
    const mayPass = passes(scopes, match.scopes, { exactly: true }) && passes(uuids, [match.uuid]);
    if (!mayPass) continue;
    for (const url of match.urls) {
      if (!/^https?:\/\//.test(url) || cameras.size >= camerasMax) continue;
      cameras.set(`${url}-${match.uuid}`, { url, uuid: match.uuid });
    }
  }
  return cameras;
}

/** Without an address only those pass that nobody asks an address of. */
function addressPasses(address: CameraAddress | undefined, { ip, mac }: Filters): boolean {
  if (address) return passes(ip, [address.ip]) && passes(mac, [address.mac]);
  return [ip, mac].every(
    (filter) => !filter || (filter.action === "Exclude" && filter.items.length === 0),
  );
}

function deviceOf(id: string, { url, uuid }: Camera, address: CameraAddress | undefined): Device {
  return {
    id,
    properties: {
      ONVIF_DEVICE_SERVICE_URL: url,
      ONVIF_DEVICE_UUID: uuid,
      ...(address && {
        ONVIF_DEVICE_IP_ADDRESS: address.ip,
        ONVIF_DEVICE_MAC_ADDRESS: address.mac,
      }),
    },
    mounts: [],
    nodes: [],
  };
}

interface Known {
  credentialOf: (uuid: string) => Credential | undefined;
  trust?: Trust | undefined;
  signal: AbortSignal;
}

class Looking {
  readonly #addresses = new Map<string, CameraAddress>();
  readonly #world: HandlerWorld;
  readonly #filters: Filters;
  readonly #known: Known;

  constructor(world: HandlerWorld, filters: Filters, known: Known) {
    this.#world = world;
    this.#filters = filters;
    this.#known = known;
  }

  async look(): Promise<Device[]> {
    const { clock, random, probeTo } = this.#world;
    const { waitMs } = this.#filters;
    const uuid = random.uuid();
    const { signal } = this.#known;
    const matches = await probeNetwork({
      clock,
      uuid,
      waitMs,
      signal,
      ...(probeTo && { to: probeTo }),
    });
    const cameras = [...camerasIn(matches, this.#filters)];
    const devices: Device[] = [];
    for (let i = 0; i < cameras.length; i += asksAtOnce) {
      const some = cameras.slice(i, i + asksAtOnce);
      const answers = await Promise.all(some.map(([id, camera]) => this.#one(id, camera)));
      devices.push(...answers.filter((one) => one !== undefined));
    }
    return devices;
  }

  /** Undefined for who does not answer, or may not pass. */
  async #one(id: string, camera: Camera): Promise<Device | undefined> {
    const { credentialOf: _, ...nobody } = this.#known;
    try {
      await askCamera(camera.url, "GetSystemDateAndTime", nobody);
    } catch {
      return undefined;
    }
    const address = this.#addresses.get(id) ?? (await this.#address(camera).catch(() => undefined));
    if (address) this.#addresses.set(id, address);
    return addressPasses(address, this.#filters) ? deviceOf(id, camera, address) : undefined;
  }

  async #address({ url, uuid }: Camera): Promise<CameraAddress | undefined> {
    const { clock, random } = this.#world;
    const { credentialOf, ...how } = this.#known;
    const credential = credentialOf(uuid);
    const salt = { nonce: random.uuid(), created: new Date(clock.now()).toISOString() };
    const asking = { ...how, ...(credential && { credential, salt }) };
    return cameraAddress(await askCamera(url, "GetNetworkInterfaces", asking));
  }
}

export const onvif: DiscoveryHandler = {
  name: "onvif",
  shared: true,
  check: filtersIn,
  async *discover({ details, properties, signal }, world) {
    const filters = filtersIn(details);
    const trust = trustOf(properties);
    const known = { credentialOf: credentials(properties), trust, signal };
    const looking = new Looking(world, filters, known);
    yield* poll(() => looking.look(), { clock: world.clock, signal, missesMax });
  },
};
