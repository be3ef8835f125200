// What a pod's annotations let old modules ask of the network. Pure.

export interface HttpLimits {
  /** Origins; none: nothing may be asked. */
  allowed: string[];
  /** Answers that a module may hold at once. */
  concurrent: number;
}

const names = {
  allowed: "alpha.wasi.krustlet.dev/allowed-domains",
  concurrent: "alpha.wasi.krustlet.dev/max-concurrent-requests",
};
const concurrentDefault = 16;

function originsIn(text: string): string[] {
  const wrong = `the annotation ${names.allowed} must be a JSON array of origins`;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw new Error(wrong);
  }
  if (!Array.isArray(list)) throw new Error(wrong);
  return list.map((one) => {
    if (typeof one !== "string" || !URL.canParse(one)) throw new Error(wrong);
    return new URL(one).origin;
  });
}

/** Throws, naming the annotation that cannot be right. */
export function httpLimits(annotations: Record<string, string> = {}): HttpLimits {
  const allowed = annotations[names.allowed];
  const concurrent = Number(annotations[names.concurrent] ?? concurrentDefault);
  if (!Number.isInteger(concurrent) || concurrent < 1) {
    throw new Error(`the annotation ${names.concurrent} must be a whole number from 1 up`);
  }
  return { allowed: allowed === undefined ? [] : originsIn(allowed), concurrent };
}
