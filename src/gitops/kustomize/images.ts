// Images of containers by other names, tags or digests. Pure.
import { podTemplates } from "./object.ts";
import type { BuildObject } from "./object.ts";

export interface ImageChange {
  name: string;
  newName?: string;
  newTag?: string;
  digest?: string;
}

/** `registry:5000/a/b`, `:tag` and `@digest` of an image. */
function split(image: string) {
  const [, name = image, tag = "", digest = ""] =
    /^(.+?)(:[\w][\w.-]*)?(@[\w.+-]+:[0-9a-fA-F]+)?$/.exec(image) ?? [];
  return { name, tag, digest };
}

export function changeImage(image: string, changes: ImageChange[]): string {
  const { name, tag, digest } = split(image);
  const change = changes.find((one) => one.name === name);
  if (!change) return image;
  const base = change.newName ?? name;
  if (change.digest) return `${base}${change.newTag ? `:${change.newTag}` : ""}@${change.digest}`;
  return change.newTag ? `${base}:${change.newTag}` : `${base}${tag}${digest}`;
}

/** In place. */
export function changeImages(object: BuildObject, changes: ImageChange[]) {
  for (const { spec } of podTemplates(object)) {
    const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
    for (const one of containers) if (one.image) one.image = changeImage(one.image, changes);
  }
}
