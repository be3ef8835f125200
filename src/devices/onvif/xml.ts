// XML from devices one does not trust, as a small tree: names without their prefixes, text, nothing else.
import { SaxesParser } from "saxes";

export interface Element {
  name: string;
  text: string;
  children: Element[];
}

const documentCharsMax = 512 * 1024;
const elementsMax = 10_000;
const depthMax = 64;

export class XmlError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "XmlError";
  }
}

/** Throws XmlError. A document type is refused: nobody here needs one, and bombs do. */
export function parseXml(document: string): Element {
  if (document.length > documentCharsMax) throw new XmlError("the document is too long");
  const root: Element = { name: "", text: "", children: [] };
  const open = [root];
  let count = 0;
  const parser = new SaxesParser({ xmlns: false });
  parser.on("error", (error) => {
    throw new XmlError(error.message);
  });
  parser.on("doctype", () => {
    throw new XmlError("a document type is not taken");
  });
  parser.on("opentag", ({ name }) => {
    if (open.length > depthMax || ++count > elementsMax) {
      throw new XmlError("the document has too many elements");
    }
    const element = { name: name.slice(name.indexOf(":") + 1), text: "", children: [] };
    open.at(-1)!.children.push(element);
    open.push(element);
  });
  parser.on("text", (text) => void (open.at(-1)!.text += text));
  parser.on("cdata", (text) => void (open.at(-1)!.text += text));
  parser.on("closetag", () => void open.pop());
  parser.write(document).close();
  const [top] = root.children;
  if (!top) throw new XmlError("the document is empty");
  return top;
}

/** Every element of this name, however deep. */
export function* all(element: Element, name: string): Generator<Element> {
  for (const child of element.children) {
    if (child.name === name) yield child;
    yield* all(child, name);
  }
}

export const first = (element: Element | undefined, name: string): Element | undefined =>
  element && all(element, name).next().value;

export const textOf = (element: Element | undefined, name: string): string | undefined =>
  first(element, name)?.text.trim();

const escapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

export const escaped = (text: string) => text.replaceAll(/[&<>"]/g, (letter) => escapes[letter]!);
