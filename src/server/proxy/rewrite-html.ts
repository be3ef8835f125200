// Rewrites the links in a page on its way through, tag by tag. What is inside scripts, styles and comments
// is left alone, as upstream.
import { Transform } from "node:stream";

/** Attributes with a link, by element. */
const linkAttributes: Record<string, string[]> = {
  a: ["href"],
  applet: ["codebase"],
  area: ["href"],
  audio: ["src"],
  base: ["href"],
  blockquote: ["cite"],
  body: ["background"],
  button: ["formaction"],
  command: ["icon"],
  del: ["cite"],
  embed: ["src"],
  form: ["action"],
  frame: ["longdesc", "src"],
  head: ["profile"],
  html: ["manifest"],
  iframe: ["longdesc", "src"],
  img: ["longdesc", "src", "usemap"],
  input: ["formaction", "src", "usemap"],
  ins: ["cite"],
  link: ["href"],
  object: ["classid", "codebase", "data", "usemap"],
  q: ["cite"],
  script: ["src"],
  source: ["src"],
  video: ["poster", "src"],
};

/** A tag that does not end within this is no tag. */
const tagCharsMax = 64 * 1024;

const rawText = new Set(["script", "style", "textarea", "title"]);
/** From its first letter on: a long name without a value is looked at once. */
const attribute = /(?<![^\s=>"'/])([^\s=>"'/]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s>"']+)/g;

function rewriteTag(tag: string, name: string, rewrite: (link: string) => string): string {
  const links = linkAttributes[name];
  if (!links) return tag;
  return tag.replace(attribute, (whole, key: string, equals: string, value: string) => {
    if (!links.includes(key.toLowerCase())) return whole;
    const quote = /^["']/.exec(value)?.[0] ?? "";
    const link = quote ? value.slice(1, -1) : value;
    return `${key}${equals}${quote}${rewrite(link)}${quote}`;
  });
}

/** Where the tag that begins at `from` ends, a `>` inside quotes not counted; -1 when it does not. */
function tagEnd(text: string, from: number): number {
  let quote = "";
  for (let at = from; at < text.length; at++) {
    const letter = text[at]!;
    if (quote) {
      if (letter === quote) quote = "";
    } else if (letter === ">") return at + 1;
    else if ((letter === '"' || letter === "'") && /=\s*$/.test(text.slice(from, at).slice(-8))) {
      quote = letter;
    }
  }
  return -1;
}

class LinkRewriter {
  readonly #rewrite: (link: string) => string;
  #rest = "";
  /** The text up to this passes untouched: `-->`, `</script`. */
  #until = "";

  constructor(rewrite: (link: string) => string) {
    this.#rewrite = rewrite;
  }

  /** The part of everything so far that is ready. */
  take(text: string): string {
    this.#rest += text;
    let out = "";
    for (;;) {
      const part = this.#next();
      if (part === undefined) return out;
      out += part;
    }
  }

  end(): string {
    return this.#rest;
  }

  #cut(length: number): string {
    const part = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
    return part;
  }

  #next(): string | undefined {
    if (this.#rest === "") return undefined;
    if (this.#until) return this.#untouched();
    const open = this.#rest.indexOf("<");
    if (open < 0) return this.#cut(this.#rest.length);
    if (open > 0) return this.#cut(open);
    if (this.#rest.startsWith("<!--")) this.#until = "-->";
    if (this.#until) return this.#cut(4);
    if (this.#rest.length < 4) return undefined;
    const name = /^<([a-z][a-z0-9]*)/i.exec(this.#rest)?.[1]?.toLowerCase();
    if (!name) return this.#cut(1);
    const end = tagEnd(this.#rest, 1);
    if (end < 0) return this.#rest.length > tagCharsMax ? this.#cut(1) : undefined;
    if (rawText.has(name)) this.#until = `</${name}`;
    return rewriteTag(this.#cut(end), name, this.#rewrite);
  }

  #untouched(): string | undefined {
    const end = this.#rest.toLowerCase().indexOf(this.#until);
    if (end >= 0) {
      const part = this.#cut(end + this.#until.length);
      this.#until = "";
      return part;
    }
    const sure = this.#rest.length - this.#until.length;
    return sure > 0 ? this.#cut(sure) : undefined;
  }
}

/** Text in, text out; `rewrite` gets every link. Bytes that are not UTF-8 go through unharmed. */
export function rewriteHtml(rewrite: (link: string) => string): Transform {
  const rewriter = new LinkRewriter((link) =>
    Buffer.from(rewrite(Buffer.from(link, "latin1").toString())).toString("latin1"),
  );
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, Buffer.from(rewriter.take(chunk.toString("latin1")), "latin1"));
    },
    flush(done) {
      done(null, Buffer.from(rewriter.end(), "latin1"));
    },
  });
}
