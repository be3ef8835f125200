// What /metrics tells of the server, under Kubernetes' own names.
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Store } from "../store/store.ts";
import type { ApiRequest, RequestInfo } from "./request.ts";

const labels = ["verb", "group", "version", "resource", "subresource"] as const;

/** Upper bounds in seconds, a subset of upstream's. */
const secondsBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

export class Metrics {
  readonly registry = new Registry();
  readonly #requests = new Counter({
    name: "apiserver_request_total",
    help: "Requests by verb, resource and HTTP code.",
    labelNames: [...labels, "code"],
    registers: [this.registry],
  });
  readonly #seconds = new Histogram({
    name: "apiserver_request_duration_seconds",
    help: "Time to answer; for watches, to begin to.",
    labelNames: [...labels],
    buckets: secondsBuckets,
    registers: [this.registry],
  });

  constructor({ store }: { store: Store }) {
    new Gauge({
      name: "kerb_store_revision",
      help: "The newest revision of the store.",
      registers: [this.registry],
      collect() {
        this.set(store.revision());
      },
    });
  }

  observe(request: ApiRequest, info: RequestInfo | undefined, code: number, ms: number) {
    const named = {
      verb: info?.verb.toUpperCase() ?? request.method,
      group: info?.kind.group ?? "",
      version: info?.kind.version ?? "",
      resource: info?.kind.plural ?? "",
      subresource: info?.subresource ?? "",
    };
    this.#requests.inc({ ...named, code: String(code) });
    this.#seconds.observe(named, ms / 1000);
  }
}
