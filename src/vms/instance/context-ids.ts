// Addresses of guests for vsock. One each in the cluster, since a guest takes its own along when it moves. What was
// given out is remembered until the object that was written with it has come back.
import { perContext } from "../../controllers/per-context.ts";
import type { KubeObject } from "../../kinds/object.ts";

/** 0 to 2 mean the machines themselves; the last means any. */
const first = 3;
const last = 2 ** 32 - 2;

export const wantsContextId = ({ spec }: Pick<KubeObject, "spec">): boolean =>
  spec.domain?.devices?.autoattachVSOCK ?? false;

const known = ({ status }: KubeObject): number | undefined => status?.VSOCKCID;

class ContextIds {
  readonly #given = new Map<string, number>();

  /** Of a machine without one: a free one, of which `all` machines are told. */
  give(vmi: KubeObject, all: KubeObject[]): number {
    const { uid } = vmi.metadata;
    const own = known(vmi) ?? this.#given.get(uid);
    if (own !== undefined) return own;
    const alive = new Set(all.map(({ metadata }) => metadata.uid));
    for (const one of this.#given.keys()) if (!alive.has(one)) this.#given.delete(one);
    const taken = new Set([...all.map(known), ...this.#given.values()]);
    let id = first + (Number.parseInt(uid.slice(0, 7), 16) || 0);
    while (taken.has(id)) id = id === last ? first : id + 1;
    this.#given.set(uid, id);
    return id;
  }
}

export const contextIdsOf = perContext(() => new ContextIds());
