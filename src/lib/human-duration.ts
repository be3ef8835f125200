// Ages as kubectl prints them: two units at most, coarser with time (apimachinery's HumanDuration).

const secondMs = 1000;

/** `45s`, `3m12s`, `5h4m`, `2d3h`, `17d`, `2y40d`. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / secondMs);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `${minutes}m${seconds % 60 ? `${seconds % 60}s` : ""}`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return `${hours}h${minutes % 60 ? `${minutes % 60}m` : ""}`;
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (days < 8) return `${days}d${hours % 24 ? `${hours % 24}h` : ""}`;
  if (days < 365 * 2) return `${days}d`;
  const years = Math.floor(days / 365);
  if (years < 8) return `${years}y${days % 365 ? `${days % 365}d` : ""}`;
  return `${years}y`;
}

/** The age of a timestamp, `<unknown>` when there is none. */
export function age(time: string | undefined, now: number): string {
  const then = Date.parse(time ?? "");
  return Number.isNaN(then) ? "<unknown>" : humanDuration(now - then);
}
