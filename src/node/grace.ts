// How long a container may take to end and how important it is, kept with the container: whoever ends it may
// have no API to ask.

const annotation = "io.kubernetes.pod.terminationGracePeriod";
const priorityAnnotation = "kerb.dev/priority";
/** Kubernetes' default. */
const secondsDefault = 30;

interface EndingSpec {
  terminationGracePeriodSeconds?: number;
  priority?: number;
}

export const graceAnnotations = (spec: EndingSpec): Record<string, string> => ({
  [annotation]: String(spec.terminationGracePeriodSeconds ?? secondsDefault),
  ...(spec.priority !== undefined && { [priorityAnnotation]: String(spec.priority) }),
});

/** The lower end first. */
export const endingPriorityOf = (annotations: Record<string, string>) =>
  Number(annotations[priorityAnnotation] ?? 0) || 0;

/** Seconds, from a container's annotations. */
export function graceSecondsOf(annotations: Record<string, string>): number {
  const seconds = Number(annotations[annotation] ?? secondsDefault);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : secondsDefault;
}
