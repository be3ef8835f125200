// Taints of nodes and the tolerations of pods (`v1 Taint`, `v1 Toleration`).

export interface Taint {
  key: string;
  value?: string;
  effect: string;
  timeAdded?: string;
}

export interface Toleration {
  key?: string;
  operator?: string;
  value?: string;
  effect?: string;
  tolerationSeconds?: number;
}

const integer = (text: string | undefined) =>
  text !== undefined && /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN;

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator ?? "Equal") {
    case "":
    case "Equal":
      return (toleration.value ?? "") === (taint.value ?? "");
    case "Exists":
      return true;
    case "Lt":
      return integer(taint.value) < integer(toleration.value);
    case "Gt":
      return integer(taint.value) > integer(toleration.value);
    default:
      return false;
  }
}

export const isTolerated = (taint: Taint, tolerations: readonly Toleration[] = []) =>
  tolerations.some((toleration) => tolerates(toleration, taint));

/** The first taint with one of `effects` that no toleration covers. */
export function untoleratedTaint(
  taints: readonly Taint[],
  tolerations: readonly Toleration[],
  effects: readonly string[],
): Taint | undefined {
  for (const taint of taints) {
    if (effects.includes(taint.effect) && !isTolerated(taint, tolerations)) return taint;
  }
  return undefined;
}

/** Effects that keep a new pod away. */
export const repelling = ["NoSchedule", "NoExecute"] as const;
