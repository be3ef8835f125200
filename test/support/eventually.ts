import { setTimeout } from "node:timers/promises";

/** For a machine that has much else to do; what comes at once is not waited for. */
const secondsMaxDefault = 120;
const againMs = 200;

/** What `look` finds once it finds something. A look that throws found nothing; the last one's reason is told at the end. */
export async function eventually<T>(
  look: () => Promise<T | undefined | false>,
  what: string,
  { secondsMax = secondsMaxDefault } = {},
): Promise<T> {
  const endMs = performance.now() + secondsMax * 1000;
  let why: unknown;
  while (performance.now() < endMs) {
    try {
      const found = await look();
      if (found) return found;
      why = undefined;
    } catch (error) {
      why = error;
    }
    await setTimeout(againMs);
  }
  throw new Error(`it did not come: ${what}${why ? ` (${String(why)})` : ""}`);
}
