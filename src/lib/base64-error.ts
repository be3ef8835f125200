// Why a text is no base64, in the words of Go's decoder, which built-in kinds' fields of bytes are read with. Lines
// may be broken anywhere.

const whole = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const digit = /[A-Za-z0-9+/]/;

/** Where the first group ends badly; places count line breaks. */
function placeOf(text: string): number {
  const places = Array.from(text, (_, i) => i).filter((i) => text[i] !== "\n" && text[i] !== "\r");
  for (let start = 0; start < places.length; start += 4) {
    for (let i = 0; i < 4; i++) {
      const at = places[start + i];
      if (at === undefined) return text.length - i;
      const char = text[at]!;
      if (digit.test(char)) continue;
      if (char !== "=" || i < 2) return at;
      const second = places[start + 3];
      if (i === 2 && second === undefined) return text.length;
      if (i === 2 && text[second!] !== "=") return second!;
      const rest = places[start + 4];
      return rest ?? at;
    }
  }
  return text.length;
}

/** Pure; undefined when it is some. */
export function base64Error(text: string): string | undefined {
  if (whole.test(text) || whole.test(text.replace(/[\r\n]/g, ""))) return undefined;
  return `illegal base64 data at input byte ${placeOf(text)}`;
}
