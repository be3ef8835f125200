// Names of images, by the grammar of the distribution project's reference package. Pure.
const part = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const host = String.raw`(?:${label}(?:\.${label})*|\[[a-fA-F0-9:]+\])(?::\d+)?`;
const tag = String.raw`:\w[\w.-]{0,127}`;
const digest = String.raw`@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}`;
const grammar = new RegExp(`^((?:${host}/)?${part}(?:/${part})*)(?:${tag})?(?:${digest})?$`);
const nameCharsMax = 255;

/** Whether the text can name an image: `busybox`, `localhost:5000/app:1`, `ghcr.io/a/b@sha256:...`. */
export function isImageName(text: string): boolean {
  const [, name] = grammar.exec(text) ?? [];
  return name !== undefined && name.length <= nameCharsMax;
}
