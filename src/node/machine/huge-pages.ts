// Memory pages that the kernel keeps ready in one size, as resources `hugepages-2Mi`, and volumes made of them.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseQuantity } from "../../lib/quantity.ts";
import { allContainers } from "../pods/pod.ts";
import type { Pod } from "../pods/pod.ts";
import type { Resources } from "../runtime.ts";

const prefix = "hugepages-";

export interface HugePages {
  /** `2Mi` */
  size: string;
  bytes: number;
}

/** `2Mi` of 2048: sizes are powers of two. Pure. */
export function sizeName(kib: number): string {
  const units = ["Ki", "Mi", "Gi"];
  let value = kib;
  let unit = 0;
  while (value % 1024 === 0 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value}${units[unit]}`;
}

/** What the kernel has set aside; sizes of which it has none count too. */
export async function hugePagesOf(directory = "/sys/kernel/mm/hugepages"): Promise<HugePages[]> {
  const names = await readdir(directory).catch(() => []);
  const sizes = names.map((name) => Number(/^hugepages-(\d+)kB$/.exec(name)?.[1])).filter(Boolean);
  return Promise.all(
    sizes.map(async (kib) => {
      const file = join(directory, `hugepages-${kib}kB`, "nr_hugepages");
      const count = Number(await readFile(file, "utf8").catch(() => 0));
      return { size: sizeName(kib), bytes: count * kib * 1024 };
    }),
  );
}

/** As amounts of a node: `hugepages-2Mi: 4Mi`. Pure. */
export const hugePageAmounts = (pages: HugePages[]): Record<string, string> =>
  Object.fromEntries(
    pages
      .toSorted((a, b) => (a.size < b.size ? -1 : 1))
      .map(({ size, bytes }) => [prefix + size, bytes === 0 ? "0" : sizeName(bytes / 1024)]),
  );

/** Limits of a container as the runtime takes them: `2MB`. Pure. */
export function hugePageLimits(
  limits: Record<string, string> | undefined,
): NonNullable<Resources["hugepageLimits"]> {
  return Object.entries(limits ?? {})
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, amount]) => ({
      pageSize: name.slice(prefix.length).replace(/i$/, "B"),
      limit: parseQuantity(amount),
    }));
}

/** Of an emptyDir with this medium; undefined when it is none, throws when the pod does not say. Pure. */
export function pageSizeOf(medium: string, pod: Pod): string | undefined {
  if (medium.startsWith("HugePages-")) return medium.slice("HugePages-".length);
  if (medium !== "HugePages") return undefined;
  const names = allContainers(pod).flatMap(({ resources }) => Object.keys(resources?.limits ?? {}));
  const sizes = new Set(names.filter((name) => name.startsWith(prefix)));
  const [only] = sizes;
  if (sizes.size === 1) return only!.slice(prefix.length);
  throw new Error(`emptyDir.medium HugePages: the pod asks for ${sizes.size} sizes of huge pages`);
}
