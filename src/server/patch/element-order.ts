// The order of a merged list, as kubectl apply expects it: what the patch names stands in the patch's order,
// what only the server knows keeps its place among those it knew.

/** What tells an element apart: its merge key's value, or a scalar itself. */
export type Identity = (element: any) => unknown;

/** Elements in the order of `order`; those it lacks come last, as they were. */
function sortBy(elements: unknown[], order: Map<unknown, number>, identity: Identity): unknown[] {
  const rank = (element: unknown) => order.get(identity(element)) ?? order.size;
  return elements.toSorted((a, b) => rank(a) - rank(b));
}

function ranks(elements: unknown[], identity: Identity): Map<unknown, number> {
  const found = new Map<unknown, number>();
  for (const [i, element] of elements.entries()) {
    if (!found.has(identity(element))) found.set(identity(element), i);
  }
  return found;
}

/** `merged` so that elements of `patchOrder` keep that order and the others that of `present`. */
export function orderElements(
  merged: unknown[],
  patchOrder: unknown[],
  present: unknown[],
  identity: Identity,
): unknown[] {
  const wanted = ranks(patchOrder, identity);
  const known = ranks(present, identity);
  const isNamed = (element: unknown) => wanted.has(identity(element));
  const named = sortBy(merged.filter(isNamed), wanted, identity);
  const others = sortBy(
    merged.filter((element) => !isNamed(element)),
    known,
    identity,
  );
  const ordered: unknown[] = [];
  let next = 0;
  for (const element of named) {
    const at = known.get(identity(element));
    while (at !== undefined && next < others.length) {
      const rank = known.get(identity(others[next]));
      if (rank === undefined || rank >= at) break;
      ordered.push(others[next++]);
    }
    ordered.push(element);
  }
  return [...ordered, ...others.slice(next)];
}

/** True when the identities of `elements` occur in `order` in the same sequence. */
export function followsOrder(elements: unknown[], order: unknown[], identity: Identity): boolean {
  let at = 0;
  for (const named of order) {
    if (at < elements.length && identity(elements[at]) === identity(named)) at += 1;
  }
  return at === elements.length;
}
