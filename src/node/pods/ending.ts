/** Why a pod that nobody deleted must stop. */
export interface Ending {
  reason: string;
  message: string;
  /** Default: the pod's own grace. */
  graceMs?: number;
  /** Reason of its condition DisruptionTarget, when it was not the pod's own doing. */
  disrupted?: string;
}
