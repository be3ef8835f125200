// One measured figure. `baseline` is the same work done by something raw or by a peer in the same run;
// the ratio is what counts, since machines differ.
import { formatTable } from "../src/cli/table.ts";

export interface Row {
  name: string;
  value: number;
  unit: string;
  baseline?: { name: string; value: number };
  /** Whether more is better, for reading the ratio. */
  better: "higher" | "lower";
  target?: number;
}

const number = (value: number) =>
  value >= 100 ? String(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2);

export function printRows(rows: Row[]) {
  const cells = rows.map((row) => {
    const { baseline, target } = row;
    const met = target && (row.better === "higher" ? row.value >= target : row.value <= target);
    return [
      row.name,
      `${number(row.value)} ${row.unit}`,
      baseline ? `${number(baseline.value)} (${baseline.name})` : "",
      baseline ? `${(row.value / baseline.value).toFixed(2)} x` : "",
      target ? `${row.better === "higher" ? ">=" : "<="} ${target}` : "",
      target ? (met ? "met" : "MISSED") : "",
    ];
  });
  console.log(formatTable(["FIGURE", "KERB", "BASELINE", "RATIO", "TARGET", ""], cells));
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
