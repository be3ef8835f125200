// How long a container may take to end, kept with the container: whoever ends it may have no API to ask.

const annotation = "io.kubernetes.pod.terminationGracePeriod";
/** Kubernetes' default. */
const secondsDefault = 30;

export const graceAnnotations = (seconds: number | undefined): Record<string, string> => ({
  [annotation]: String(seconds ?? secondsDefault),
});

/** Seconds, from a container's annotations. */
export function graceSecondsOf(annotations: Record<string, string>): number {
  const seconds = Number(annotations[annotation] ?? secondsDefault);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : secondsDefault;
}
