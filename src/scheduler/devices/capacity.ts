// How much of a device an allocation takes, where the device may be shared by its capacity (KEP-5075). Pure.
import { parseQuantity } from "../../lib/quantity.ts";

export interface Capacity {
  /** As its device calls it. */
  name: string;
  value: string;
  requestPolicy?: {
    default?: string;
    validValues?: string[];
    validRange?: { min?: string; max?: string; step?: string };
  };
}

/** Quantities, by the device's own names. */
export type Amounts = ReadonlyMap<string, string>;

const byAmount = (a: string, b: string) => parseQuantity(a) - parseQuantity(b);

/** The least that the policy allows and that is enough; undefined when nothing is. */
function rounded(
  asked: string,
  { validValues, validRange }: NonNullable<Capacity["requestPolicy"]>,
) {
  const amount = parseQuantity(asked);
  if (validValues) {
    return validValues.toSorted(byAmount).find((one) => parseQuantity(one) >= amount);
  }
  if (!validRange) return asked;
  const { min = "0", max, step } = validRange;
  const least = parseQuantity(min);
  if (amount <= least) return min;
  const steps = step && Math.ceil((amount - least) / parseQuantity(step));
  const enough = steps ? least + steps * parseQuantity(step) : amount;
  if (max !== undefined && enough > parseQuantity(max)) return undefined;
  return enough === amount ? asked : String(enough);
}

function taken(capacity: Capacity, asked: string | undefined): string | undefined {
  const { value, requestPolicy } = capacity;
  const wanted = asked ?? requestPolicy?.default ?? value;
  const amount = requestPolicy ? rounded(wanted, requestPolicy) : wanted;
  return amount !== undefined && parseQuantity(amount) <= parseQuantity(value) ? amount : undefined;
}

/**
 * What a request with these wishes takes of a device's capacities, which have qualified names; undefined when the
 * device has less, or lacks what is asked for.
 */
export function amountsFor(
  capacities: ReadonlyMap<string, Capacity>,
  wishes: ReadonlyMap<string, string>,
): Amounts | undefined {
  for (const name of wishes.keys()) if (!capacities.has(name)) return undefined;
  const amounts = new Map<string, string>();
  for (const [name, capacity] of capacities) {
    const amount = taken(capacity, wishes.get(name));
    if (amount === undefined) return undefined;
    amounts.set(capacity.name, amount);
  }
  return amounts;
}

/** What is taken of devices that several share, by the device's id. */
export class Shares {
  readonly #taken = new Map<string, { holders: number; amounts: Map<string, number> }>();

  has(device: string): boolean {
    return (this.#taken.get(device)?.holders ?? 0) > 0;
  }

  *devices(): Generator<string> {
    for (const device of this.#taken.keys()) if (this.has(device)) yield device;
  }

  change(device: string, amounts: Amounts, by: 1 | -1) {
    const known = this.#taken.get(device) ?? { holders: 0, amounts: new Map<string, number>() };
    this.#taken.set(device, known);
    known.holders += by;
    for (const [name, amount] of amounts) {
      known.amounts.set(name, (known.amounts.get(name) ?? 0) + by * parseQuantity(amount));
    }
  }

  hasRoom(device: string, capacities: ReadonlyMap<string, Capacity>, amounts: Amounts): boolean {
    const used = this.#taken.get(device)?.amounts;
    return [...capacities.values()].every(({ name, value }) => {
      const wanted = parseQuantity(amounts.get(name) ?? 0);
      return (used?.get(name) ?? 0) + wanted <= parseQuantity(value);
    });
  }

  copy(): Shares {
    const copy = new Shares();
    for (const [device, { holders, amounts }] of this.#taken) {
      copy.#taken.set(device, { holders, amounts: new Map(amounts) });
    }
    return copy;
  }
}
