// wasi:http's fields: headers and trailers.
import { refuse } from "./refuse.ts";

const token = /^[!#$%&'*+\-.^_`|~\w]+$/;
// oxlint-disable-next-line no-control-regex
const badValue = /[\0-\x08\x0a-\x1f\x7f]/;
/** What belongs to the connection and not to the message. */
const forbidden = new Set([
  "connection",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

const encode = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const decode = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

export class Fields {
  #pairs: [string, string][] = [];
  #isFixed = false;

  /** Of a message that came in: not to be changed. */
  static received(pairs: [string, string][]): Fields {
    const fields = new Fields();
    fields.#pairs = pairs;
    fields.#isFixed = true;
    return fields;
  }

  static fromList(entries: [string, Uint8Array][]): Fields {
    const fields = new Fields();
    for (const [name, value] of entries) fields.append(name, value);
    return fields;
  }

  #change(name: string, values: Uint8Array[] = []) {
    if (this.#isFixed) refuse({ tag: "immutable" });
    if (!token.test(name)) refuse({ tag: "invalid-syntax" });
    if (values.some((value) => badValue.test(decode(value)))) refuse({ tag: "invalid-syntax" });
    if (forbidden.has(name.toLowerCase())) refuse({ tag: "forbidden" });
  }

  #without(name: string) {
    const wanted = name.toLowerCase();
    return this.#pairs.filter(([one]) => one.toLowerCase() !== wanted);
  }

  get(name: string): Uint8Array[] {
    const wanted = name.toLowerCase();
    return this.#pairs.flatMap(([one, value]) =>
      one.toLowerCase() === wanted ? [encode(value)] : [],
    );
  }

  has(name: string) {
    return this.#without(name).length < this.#pairs.length;
  }

  set(name: string, values: Uint8Array[]) {
    this.#change(name, values);
    const added = values.map((value): [string, string] => [name, decode(value)]);
    this.#pairs = [...this.#without(name), ...added];
  }

  delete(name: string) {
    this.#change(name);
    this.#pairs = this.#without(name);
  }

  append(name: string, value: Uint8Array) {
    this.#change(name, [value]);
    this.#pairs.push([name, decode(value)]);
  }

  entries(): [string, Uint8Array][] {
    return this.#pairs.map(([name, value]) => [name, encode(value)]);
  }

  clone(): Fields {
    const fields = new Fields();
    fields.#pairs = [...this.#pairs];
    return fields;
  }

  /** As Node takes and gives them. */
  get pairs(): readonly [string, string][] {
    return this.#pairs;
  }

  fix(): this {
    this.#isFixed = true;
    return this;
  }
}
