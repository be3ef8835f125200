// One measured figure. `baseline` is the same work done by something raw or by a peer in the same run;
// the ratio is what counts, since machines differ.

export interface Row {
  name: string;
  value: number;
  unit: string;
  baseline?: { name: string; value: number };
  /** Whether more is better, for reading the ratio. */
  better: "higher" | "lower";
  target?: number;
}

/** A bench gives each figure as soon as it has it. */
export type Rows = AsyncGenerator<Row, void>;

const columns = { FIGURE: 56, KERB: 14, BASELINE: 32, RATIO: 8, TARGET: 16 };

const number = (value: number) =>
  value >= 100 ? String(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2);

function cellsOf({ name, value, unit, baseline, better, target }: Row): string[] {
  const met = target && (better === "higher" ? value >= target : value <= target);
  return [
    name,
    `${number(value)} ${unit}`,
    baseline ? `${number(baseline.value)} (${baseline.name})` : "",
    baseline ? `${(value / baseline.value).toFixed(2)} x` : "",
    target ? `${better === "higher" ? ">=" : "<="} ${target} ${met ? "met" : "MISSED"}` : "",
  ];
}

function printLine(cells: string[]) {
  const widths = Object.values(columns);
  console.log(
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join(" ")
      .trimEnd(),
  );
}

export function printHeader() {
  printLine(Object.keys(columns));
}

export function printRow(row: Row) {
  printLine(cellsOf(row));
}

/** A table, line by line as it is measured. */
export async function printRows(rows: Rows) {
  printHeader();
  for await (const row of rows) printRow(row);
}

/** The value below which `share` of `values` lie. */
export function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Runs `work` in `clients` loops at once until `total` are done; resolves with how many a second. */
export async function throughput(
  clients: number,
  total: number,
  work: (i: number, client: number) => Promise<void>,
): Promise<number> {
  let next = 0;
  const started = performance.now();
  const loop = async (client: number) => {
    while (next < total) await work(next++, client);
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => loop(client)));
  return (total * 1000) / (performance.now() - started);
}
