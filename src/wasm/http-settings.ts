// How many instances a handler of requests has, by annotations of its pod. Pure.

export interface HttpSettings {
  /** Requests at once, each with an instance of its own. */
  instancesMax: number;
  /** Instances that are there before they are asked for. */
  readyMin: number;
  /** Requests that an instance answers before it is replaced. */
  usesMax: number;
}

export const httpAnnotations = {
  /** `fresh`: every request has an instance of its own. */
  instance: "kerb.dev/wasm-instance",
  concurrency: "kerb.dev/wasm-concurrency",
  pool: "kerb.dev/wasm-pool",
  requests: "kerb.dev/wasm-requests-per-instance",
} as const;

/** Open at once to one handler. Twice as many do not fit into what a runner has beside its module's memory. */
export const connectionsMax = 2048;
const instancesDefault = 16;
const instancesLimit = 1024;
const usesLimit = 2 ** 31 - 1;

/** Throws in words for the container's status. */
export function httpSettings(annotations: Record<string, string> = {}): HttpSettings {
  const number = (name: string, fallback: number, max: number) => {
    const text = annotations[name];
    if (text === undefined) return fallback;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
    throw new Error(
      `the annotation ${name} must be a whole number from 1 to ${max}, and is ${JSON.stringify(text)}`,
    );
  };
  const { instance, concurrency, pool, requests } = httpAnnotations;
  const kind = annotations[instance] ?? "reused";
  if (kind !== "fresh" && kind !== "reused") {
    throw new Error(
      `the annotation ${instance} must be fresh or reused, and is ${JSON.stringify(kind)}`,
    );
  }
  const instancesMax = number(concurrency, instancesDefault, instancesLimit);
  const uses = number(requests, usesLimit, usesLimit);
  return {
    instancesMax,
    readyMin: Math.min(number(pool, 1, instancesLimit), instancesMax),
    usesMax: kind === "fresh" ? 1 : uses,
  };
}
