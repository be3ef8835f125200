// Sites, machines and stores run by themselves, and outlive whoever started them. Ctrl-C takes them down, last started
// first, and nothing is started any more.

type TakeDown = () => Promise<unknown>;

const all = new Set<TakeDown>();
let isEnding = false;

async function end(code: number) {
  // The terminal signals the whole group, and whoever runs this passes the signal on.
  if (isEnding) return;
  isEnding = true;
  // What the run was about fails now, as what it asks goes away.
  process.on("uncaughtException", () => {});
  if (all.size > 0) console.error("taking down what was started ...");
  while (all.size > 0) {
    const last = [...all].at(-1)!;
    await last().catch((error) => console.error(String(error)));
    all.delete(last);
  }
  process.exit(code);
}

/** Whoever does one thing after the other does no next. */
export const isInterrupted = () => isEnding;

/** Of a run that is interrupted, which then ends. What is returned forgets it again. */
export function atInterrupt(takeDown: TakeDown): () => void {
  if (isEnding) throw new Error("this run was interrupted: nothing is started any more");
  if (process.listenerCount("SIGINT", interrupted) === 0) {
    process.on("SIGINT", interrupted).on("SIGTERM", terminated);
  }
  all.add(takeDown);
  return () => void all.delete(takeDown);
}

const interrupted = () => void end(130);
const terminated = () => void end(143);
