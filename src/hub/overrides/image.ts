// Names of images: `registry/repository:tag@digest`.

export interface ImageRule {
  /** The image without tag and digest; absent: every image. */
  name?: string;
  /** Another registry for it, say the site's mirror. */
  newRegistry?: string;
  newName?: string;
  newTag?: string;
  digest?: string;
}

interface Image {
  name: string;
  tag: string;
  digest: string;
}

function parse(image: string): Image {
  const at = image.indexOf("@");
  const digest = at < 0 ? "" : image.slice(at);
  const rest = at < 0 ? image : image.slice(0, at);
  // A colon before the last slash belongs to a port.
  const colon = rest.indexOf(":", rest.lastIndexOf("/") + 1);
  return colon < 0
    ? { name: rest, tag: "", digest }
    : { name: rest.slice(0, colon), tag: rest.slice(colon), digest };
}

function withRegistry(name: string, registry: string): string {
  const first = name.split("/")[0]!;
  const named = name.includes("/") && (/[.:]/.test(first) || first === "localhost");
  return `${registry}/${named ? name.slice(first.length + 1) : name}`;
}

/** `image` after `rule`. A new tag drops the digest, which would win over it; a digest drops the tag. */
export function rename(image: string, rule: ImageRule): string {
  const { name, tag, digest } = parse(image);
  if (rule.name !== undefined && rule.name !== name) return image;
  const named = rule.newName ?? name;
  const placed = rule.newRegistry === undefined ? named : withRegistry(named, rule.newRegistry);
  if (rule.digest !== undefined) return `${placed}@${rule.digest}`;
  if (rule.newTag !== undefined) return `${placed}:${rule.newTag}`;
  return placed + tag + digest;
}
