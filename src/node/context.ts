// What every part of the agent works with.
import type { Client } from "../client/client.ts";
import type { RecordEvent } from "../client/events.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { SecurityAbilities } from "./pods/admit-security.ts";
import type { NodeParts } from "../lib/node-connection.ts";
import type { Cgroups } from "./machine/cgroups.ts";
import type { Cpus } from "./cpus/cpus.ts";
import type { CsiDrivers } from "./csi/drivers.ts";
import type { Devices } from "./devices/devices.ts";
import type { Directories } from "./directories.ts";
import type { NodeFacts } from "./pods/field-ref.ts";
import type { AgentMetrics } from "./metrics/agent-metrics.ts";
import type { PodGate } from "./network/policy.ts";
import type { Mounts } from "./machine/mounts.ts";
import type { Objects } from "./objects.ts";
import type { Runtime } from "./runtime.ts";
import type { DnsSettings } from "./pods/sandbox-config.ts";
import type { UserNamespaces } from "./machine/user-namespaces.ts";

export interface AgentContext {
  client: Client;
  runtime: Runtime;
  /** Holds a pod up until its network policies stand. */
  gate: PodGate;
  /** The address that a pod took over from another. */
  movedAddress: (podUid: string) => string | undefined;
  /** What wings answer for at this node. */
  parts: NodeParts;
  objects: Objects;
  clock: Clock;
  log: Log;
  event: RecordEvent;
  directories: Directories;
  mounts: Mounts;
  cgroups: Cgroups;
  devices: Devices | undefined;
  csi: CsiDrivers | undefined;
  cpus: Cpus;
  facts: NodeFacts;
  dns: DnsSettings;
  abilities: SecurityAbilities;
  memoryBytes: number;
  metrics: AgentMetrics;
  userNamespaces: UserNamespaces;
  signal: AbortSignal;
}
