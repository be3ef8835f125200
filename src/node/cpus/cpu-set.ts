// Sets of processors as the kernel writes them, `0-3,8`. Pure.

/** As many as a kernel can be built for. */
const cpusMax = 8192;

/** Ascending; throws for what is no list. */
export function parseCpus(text: string): number[] {
  const found = new Set<number>();
  for (const part of text.trim().split(",").filter(Boolean)) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part.trim()) ?? [];
    if (first === undefined || Number(first) > Number(last) || Number(last) >= cpusMax) {
      throw new Error(`${JSON.stringify(text)} is no list of cpus, such as 0,4-5`);
    }
    for (let cpu = Number(first); cpu <= Number(last); cpu++) found.add(cpu);
  }
  return [...found].sort((a, b) => a - b);
}

export function cpusText(cpus: readonly number[]): string {
  const parts: string[] = [];
  const sorted = [...new Set(cpus)].sort((a, b) => a - b);
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    parts.push(end > i ? `${sorted[i]}-${sorted[end]}` : String(sorted[i]));
    i = end + 1;
  }
  return parts.join(",");
}
