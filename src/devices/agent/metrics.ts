// What /metrics tells of devices, under Akri's names.
import { Counter, Gauge, Histogram } from "prom-client";
import type { Registry } from "prom-client";
import type { Informer } from "../../client/informer.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { labels } from "../brokers/names.ts";

const secondsBuckets = [0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 60];

export interface MeasureSearch {
  /** `ms` from the question to the first answer; undefined for those that follow. */
  answered(handler: string, ms: number | undefined): void;
  failed(handler: string): void;
}

type LabelsOf = (object: KubeObject) => Record<string, string>;

/** Counted when asked for. */
function count(gauge: Gauge, informer: Informer, labelsOf: LabelsOf) {
  gauge.reset();
  for (const object of informer.list()) gauge.inc(labelsOf(object));
}

export class DeviceMetrics {
  readonly #seconds: Histogram;
  readonly #results: Counter;

  constructor(registry: Registry, of: { instances: Informer; brokers: Informer }) {
    const registers = [registry];
    this.#seconds = new Histogram({
      name: "akri_discovery_response_time",
      help: "Seconds from a question to a handler's first answer.",
      labelNames: ["configuration"],
      buckets: secondsBuckets,
      registers,
    });
    this.#results = new Counter({
      name: "akri_discovery_response_result",
      help: "Answers of handlers.",
      labelNames: ["discovery_handler_name", "result"],
      registers,
    });
    const instances: Gauge = new Gauge({
      name: "akri_instance_count",
      help: "Devices that are there.",
      labelNames: ["configuration", "is_shared"],
      registers,
      collect: () =>
        count(instances, of.instances, ({ spec }) => ({
          configuration: spec.configurationName,
          is_shared: String(spec.shared === true),
        })),
    });
    const brokers: Gauge = new Gauge({
      name: "akri_broker_pod_count",
      help: "Brokers by node.",
      labelNames: ["configuration", "node"],
      registers,
      collect: () =>
        count(brokers, of.brokers, ({ metadata, spec }) => ({
          configuration: metadata.labels?.[labels.configuration] ?? "",
          node: spec.nodeName ?? "",
        })),
    });
  }

  ofSearch(configuration: string): MeasureSearch {
    return {
      answered: (name, ms) => {
        this.#results.inc({ discovery_handler_name: name, result: "success" });
        if (ms !== undefined) this.#seconds.observe({ configuration }, ms / 1000);
      },
      failed: (name) => this.#results.inc({ discovery_handler_name: name, result: "fail" }),
    };
  }
}
