// JSON.parse keeps the last of two equal keys without a word. Strict field validation wants them named,
// so this scans the text once for keys that repeat within one object, and measures its depth on the way:
// a document nested too deep would overflow every recursive reader behind it.

/** `paths` are those of repeated keys (`spec.ports[0].name`); `depth` is how deep objects and arrays nest. */
export interface Scan {
  paths: string[];
  depth: number;
}

interface Frame {
  /** Keys seen in this object; absent for an array. */
  keys: Set<string> | undefined;
  /** The current key, or the current index. */
  at: string | number;
}

const quote = 34;
const backslash = 92;

/** The offset of the quote that ends the string whose first character is at `start`. */
function stringEnd(text: string, start: number): number {
  let end = text.indexOf('"', start);
  for (;;) {
    if (end < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
}

const pathOf = (frames: Frame[]) =>
  frames
    .map(({ at }, i) => (typeof at === "number" ? `[${at}]` : i === 0 ? at : `.${at}`))
    .join("");

/** Scans JSON that is known to parse. */
export function scanJson(text: string): Scan {
  const frames: Frame[] = [];
  const paths: string[] = [];
  let depth = 0;
  let keyNext = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const frame = frames[frames.length - 1];
    if (code === quote) {
      const end = stringEnd(text, i + 1);
      if (keyNext && frame?.keys) {
        const key = text.slice(i + 1, end);
        frame.at = key;
        if (frame.keys.has(key)) paths.push(pathOf(frames));
        else frame.keys.add(key);
        keyNext = false;
      }
      i = end;
    } else if (code === 123 || code === 91) {
      frames.push(code === 123 ? { keys: new Set(), at: "" } : { keys: undefined, at: 0 });
      keyNext = code === 123;
      if (frames.length > depth) depth = frames.length;
    } else if (code === 125 || code === 93) {
      frames.pop();
      keyNext = false;
    } else if (code === 44 && frame) {
      if (frame.keys) keyNext = true;
      else frame.at = (frame.at as number) + 1;
    }
  }
  return { paths, depth };
}
