import { setTimeout } from "node:timers/promises";

/** What `look` finds once it finds something; gives up after half a minute. A look that throws found nothing. */
export async function eventually<T>(
  look: () => Promise<T | undefined | false>,
  what: string,
): Promise<T> {
  for (let tries = 0; tries < 150; tries++) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    await setTimeout(200);
  }
  throw new Error(`it did not come: ${what}`);
}
