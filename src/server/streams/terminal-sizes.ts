// The resize channel: JSON objects one after the other, cut anywhere.

/** Longest text that can be a size. */
const sizeCharactersMax = 256;

export interface TerminalSize {
  width: number;
  height: number;
}

export async function* terminalSizes(
  chunks: AsyncIterable<Uint8Array>,
): AsyncIterable<TerminalSize> {
  let text = "";
  for await (const chunk of chunks) {
    text += Buffer.from(chunk).toString();
    for (let end = text.indexOf("}"); end >= 0; end = text.indexOf("}")) {
      const size = sizeIn(text.slice(0, end + 1));
      text = text.slice(end + 1);
      if (size) yield size;
    }
    if (text.length > sizeCharactersMax) text = "";
  }
}

function sizeIn(text: string): TerminalSize | undefined {
  try {
    const { Width: width, Height: height } = JSON.parse(text);
    return Number.isInteger(width) && Number.isInteger(height) ? { width, height } : undefined;
  } catch {
    return undefined;
  }
}
