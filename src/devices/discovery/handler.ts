// What a discovery handler is: one search for one Configuration, which tells all it sees each time that
// changes. The handlers here and those that register over gRPC look the same from the agent.
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { TwinChannel } from "../twins/channel.ts";

export interface DeviceMount {
  containerPath: string;
  hostPath: string;
  readOnly: boolean;
}

export interface DeviceNode {
  containerPath: string;
  hostPath: string;
  /** Letters of `rwm`. */
  permissions: string;
}

export interface Device {
  id: string;
  properties: Record<string, string>;
  mounts: DeviceMount[];
  nodes: DeviceNode[];
  /** Why it is there and cannot be offered. */
  refused?: string;
}

export interface DiscoverRequest {
  /** Free text that only the handler understands; YAML in all of Akri's. */
  details: string;
  /** Values of the Configuration, of Secrets and of ConfigMaps. */
  properties: Map<string, Uint8Array | undefined>;
  signal: AbortSignal;
}

/** What handlers see of the machine. */
export interface HandlerWorld {
  clock: Clock;
  random: Random;
  log: Log;
  /** Below which debugEcho's switch lies. */
  directory: string;
  /** Usually `/sys`, `/run/udev` and `/dev`, and `/` above them. */
  paths: { sys: string; udev: string; dev: string; root: string };
  /** Runs a program to its end; resolves with what it printed. */
  run(command: string, args: string[]): Promise<string>;
  /** Where is asked what else goes to a multicast group. */
  probeTo?: { host: string; port: number };
}

export interface DiscoveryHandler {
  /** As Configurations name it. */
  name: string;
  /** True when several nodes may see the same device. */
  shared: boolean;
  /** Throws DetailsError for details that it would not understand. */
  check?(details: string): unknown;
  /** Yields everything that is there, at first and after every change. Throws DetailsError. */
  discover(request: DiscoverRequest, world: HandlerWorld): AsyncIterable<Device[]>;
  /** Of handlers that read and write values. Throws when the device does not answer. */
  openTwin?(
    device: Device,
    request: Pick<DiscoverRequest, "properties" | "signal">,
    world: HandlerWorld,
  ): Promise<TwinChannel> | TwinChannel;
}

/** The Configuration asks for something that the handler does not understand; asking again is no use. */
export class DetailsError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DetailsError";
  }
}
