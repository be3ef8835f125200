/** Replaces `$(NAME)` as Kubernetes does: `$$` is a dollar, unknown names stay as they are. */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  const last = text.lastIndexOf(")");
  let out = "";
  let done = 0;
  for (;;) {
    const at = text.indexOf("$", done);
    if (at < 0) return out + text.slice(done);
    out += text.slice(done, at);
    // Without an end behind it nobody looks for one: a text of many beginnings is as long as it is.
    const isName = text[at + 1] === "(" && at < last;
    const end = isName ? text.indexOf(")", at) : at + (text[at + 1] === "$" ? 1 : 0);
    const whole = text.slice(at, end + 1);
    out += isName ? (lookup(whole.slice(2, -1)) ?? whole) : "$";
    done = end + 1;
  }
}
