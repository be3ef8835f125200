// How a container ends and how important it is, kept with the container: whoever ends it may have no API to ask.
import type { Container } from "./pod.ts";

const annotation = "io.kubernetes.pod.terminationGracePeriod";
const priorityAnnotation = "kerb.dev/priority";
const endAnnotation = "io.kubernetes.container.kerb.end";
/** Kubernetes' default. */
const secondsDefault = 30;

interface EndingSpec {
  terminationGracePeriodSeconds?: number;
  priority?: number;
}

/** What a container's end asks for beside time: its hook, and the ports that the hook may name. */
function endOf({ lifecycle, ports }: Container): Record<string, string> {
  const { preStop, stopSignal } = lifecycle ?? {};
  if (!preStop && !stopSignal) return {};
  return { [endAnnotation]: JSON.stringify({ lifecycle: { preStop, stopSignal }, ports }) };
}

export const graceAnnotations = (spec: EndingSpec, container: Container) => ({
  [annotation]: String(spec.terminationGracePeriodSeconds ?? secondsDefault),
  ...(spec.priority !== undefined && { [priorityAnnotation]: String(spec.priority) }),
  ...endOf(container),
});

/** As much of a container as its end needs, from its annotations. */
export function endingContainerOf(name: string, annotations: Record<string, string>): Container {
  return { name, image: "", ...JSON.parse(annotations[endAnnotation] ?? "{}") };
}

/** The lower end first. */
export const endingPriorityOf = (annotations: Record<string, string>) =>
  Number(annotations[priorityAnnotation] ?? 0) || 0;

/** Seconds, from a container's annotations. */
export function graceSecondsOf(annotations: Record<string, string>): number {
  const seconds = Number(annotations[annotation] ?? secondsDefault);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : secondsDefault;
}
