// The cell in which `kubectl get hpa` shows what is and what should be.
import type { KubeObject } from "./object.ts";

const metricsShown = 2;

interface MetricTarget {
  averageUtilization?: number;
  averageValue?: string;
  value?: string;
}

const sourceOf = (metric: any) =>
  metric[`${metric.type?.[0]?.toLowerCase()}${metric.type?.slice(1)}`];

const nameOf = (source: any): string | undefined => source?.name ?? source?.metric?.name;

function text(metric: any, statuses: any[]): string {
  const source = sourceOf(metric) ?? {};
  const target: MetricTarget = source.target ?? {};
  const status = statuses.find(
    (one) => one.type === metric.type && nameOf(sourceOf(one)) === nameOf(source),
  );
  const current: MetricTarget = sourceOf(status ?? {})?.current ?? {};
  const label = metric.type.endsWith("Resource") ? `${nameOf(source)}: ` : "";
  const unknown = "<unknown>";
  if (target.averageUtilization !== undefined) {
    const now = current.averageUtilization;
    return `${label}${now === undefined ? unknown : `${now}%`}/${target.averageUtilization}%`;
  }
  if (target.averageValue !== undefined) {
    const mean = metric.type === "External" || metric.type === "Object" ? " (avg)" : "";
    return `${label}${current.averageValue ?? unknown}/${target.averageValue}${mean}`;
  }
  return `${label}${current.value ?? unknown}/${target.value ?? "<auto>"}`;
}

/** `cpu: 61%/50%, 12/10 + 1 more...` */
export function autoscalingTargets({ spec, status }: KubeObject): string {
  const metrics: any[] = spec.metrics ?? [];
  if (metrics.length === 0) return "<none>";
  const all = metrics.map((metric) => text(metric, status?.currentMetrics ?? []));
  const more = all.length - metricsShown;
  return all.slice(0, metricsShown).join(", ") + (more > 0 ? ` + ${more} more...` : "");
}
