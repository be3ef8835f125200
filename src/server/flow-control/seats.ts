// How many requests each priority level may have at work at once: its share of the server's, and what others
// lend and do not use. Pure.

export interface Share {
  shares: number;
  lendablePercent: number;
  /** Of its own seats; undefined for as many as there are. */
  borrowingLimitPercent: number | undefined;
}

export interface Seats {
  nominal: number;
  /** Kept for this level even when it does not use them. */
  kept: number;
  /** With all that it may borrow. */
  most: number;
}

/** As upstream: every level gets its share, rounded up. */
export function seatsOf(levels: ReadonlyMap<string, Share>, total: number): Map<string, Seats> {
  const sum = [...levels.values()].reduce((all, { shares }) => all + shares, 0);
  const seats = new Map<string, Seats>();
  for (const [name, { shares, lendablePercent, borrowingLimitPercent }] of levels) {
    const nominal = sum > 0 ? Math.ceil((total * shares) / sum) : 0;
    const lendable = Math.round((nominal * lendablePercent) / 100);
    const borrowed =
      borrowingLimitPercent === undefined
        ? total
        : Math.round((nominal * borrowingLimitPercent) / 100);
    seats.set(name, { nominal, kept: nominal - lendable, most: nominal + borrowed });
  }
  return seats;
}

interface Use {
  seats: Seats;
  used: number;
}

/** True when a level may seat a request of this width, given what all levels use. */
export function maySeat(one: Use, all: Iterable<Use>, total: number, width = 1): boolean {
  if (one.used + width <= one.seats.nominal) return true;
  if (one.used + width > one.seats.most) return false;
  let taken = 0;
  for (const other of all) {
    taken += other === one ? other.used : Math.max(other.used, other.seats.kept);
  }
  return taken + width <= total;
}
