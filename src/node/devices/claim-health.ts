// How the devices of claims are, as their drivers say (DRAResourceHealth, KEP-4680). What a driver does not say again
// in time, and all of one whose answer ended, is unknown.
import { jsonEqual } from "../../lib/json.ts";
import { isGrpc } from "../../lib/grpc.ts";
import type { GrpcConnection } from "../../lib/grpc.ts";
import type { Cancel, Clock } from "../../lib/clock.ts";
import { sleep } from "../../lib/clock.ts";
import type { Health } from "./ledger.ts";
import { driverHealth } from "./protocols.ts";

const timeoutSecondsDefault = 30;
const retryMs = 5000;
const devicesMax = 4096;
const messageCharsMax = 1024;
const words: Record<string, Health> = { HEALTHY: "Healthy", UNHEALTHY: "Unhealthy" };

export interface DeviceHealth {
  health: Health;
  message?: string;
}

interface Told {
  said: DeviceHealth;
  /** Until when it counts, by the monotonic clock. */
  untilMs: number;
}

const keyOf = (pool: string, device: string) => `${pool} ${device}`;

function toldOf({ health, message, health_check_timeout_seconds: given }: any, now: number): Told {
  const seconds = Number(given);
  const timeout = seconds > 0 ? seconds : timeoutSecondsDefault;
  return {
    said: {
      health: words[health] ?? "Unknown",
      ...(message && { message: String(message).slice(0, messageCharsMax) }),
    },
    untilMs: now + timeout * 1000,
  };
}

class DriverHealth {
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #told = new Map<string, Told>();
  readonly #stop = new AbortController();
  #cancel: Cancel = () => {};

  constructor(connection: GrpcConnection, clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
    void this.#follow(connection);
  }

  stop() {
    this.#stop.abort();
    this.#cancel();
  }

  of(pool: string, device: string): DeviceHealth | undefined {
    const told = this.#told.get(keyOf(pool, device));
    return told && told.untilMs > this.#clock.monotonic() ? told.said : undefined;
  }

  async #follow(connection: GrpcConnection) {
    const { signal } = this.#stop;
    const versions = [...driverHealth.paths];
    while (!signal.aborted && versions.length > 0) {
      try {
        await this.#listen(connection, versions[0]!);
      } catch (error) {
        // Those that do not say how their devices are need not.
        if (isGrpc(error, "UNIMPLEMENTED")) {
          versions.shift();
          continue;
        }
      }
      this.#told.clear();
      if (signal.aborted) return;
      this.#changed();
      await sleep(this.#clock, retryMs, signal).catch(() => {});
    }
  }

  async #listen(connection: GrpcConnection, path: string) {
    const { signal } = this.#stop;
    const service = connection.service(path, driverHealth.types);
    for await (const { devices } of service.stream("NodeWatchResources", {}, signal)) {
      let isOther = false;
      for (const one of devices ?? []) {
        const { pool_name: pool = "", device_name: device = "" } = one.device ?? {};
        const before = this.of(pool, device);
        if (!before && this.#told.size >= devicesMax) continue;
        const now = toldOf(one, this.#clock.monotonic());
        this.#told.set(keyOf(pool, device), now);
        isOther ||= !jsonEqual(before, now.said);
      }
      this.#wakeAtEnd();
      if (isOther) this.#changed();
    }
  }

  /** When the first of what was told counts no more. */
  #wakeAtEnd() {
    this.#cancel();
    const now = this.#clock.monotonic();
    for (const [key, { untilMs }] of this.#told) if (untilMs <= now) this.#told.delete(key);
    if (this.#told.size === 0) return;
    const first = Math.min(...[...this.#told.values()].map(({ untilMs }) => untilMs));
    this.#cancel = this.#clock.after(first - now + 1, () => {
      this.#wakeAtEnd();
      this.#changed();
    });
  }
}

export class ClaimHealth {
  readonly #clock: Clock;
  readonly #drivers = new Map<string, DriverHealth>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Some device fell ill, recovered, or is not told of any more. */
  onChange = () => {};

  follow(driver: string, connection: GrpcConnection) {
    this.forget(driver);
    const changed = () => this.onChange();
    this.#drivers.set(driver, new DriverHealth(connection, this.#clock, changed));
  }

  forget(driver: string) {
    if (!this.#drivers.has(driver)) return;
    this.#drivers.get(driver)!.stop();
    this.#drivers.delete(driver);
    this.onChange();
  }

  close() {
    for (const one of this.#drivers.values()) one.stop();
    this.#drivers.clear();
  }

  of(driver: string, pool: string, device: string): DeviceHealth {
    return this.#drivers.get(driver)?.of(pool, device) ?? { health: "Unknown" };
  }
}
