// Which of many tags a range of versions means. Pure.
import { maxSatisfying, valid, validRange } from "semver";

/** The tag of the greatest version in `range`; ranges may be joined by commas, as Flux's are. */
export function newestTag(tags: string[], range: string): string {
  const wanted = range.replaceAll(",", " ");
  if (validRange(wanted) === null)
    throw new Error(`${JSON.stringify(range)} is no range of versions`);
  const byVersion = new Map(tags.flatMap((tag) => (valid(tag) ? [[valid(tag)!, tag]] : [])));
  const newest = maxSatisfying([...byVersion.keys()], wanted);
  if (newest === null) throw new Error(`no tag is in ${range}`);
  return byVersion.get(newest)!;
}
