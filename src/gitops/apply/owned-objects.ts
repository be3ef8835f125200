// The objects of the cluster that are one Kustomization's: applied by the server, found again by their entries, and
// taken away only while their labels say whose they are.
import { apply } from "../../client/apply.ts";
import type { Target } from "../../client/client.ts";
import type { ControllerContext, DiscoveredResource } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";
import { groupOf, versionOf } from "../kustomize/object.ts";
import type { BuildObject } from "../kustomize/object.ts";
import { entryOf, identityOf, inOrder } from "./inventory.ts";
import type { Entry } from "./inventory.ts";
import { Stop } from "./stop.ts";

const fieldManager = "kustomize-controller";
const group = "kustomize.toolkit.fluxcd.io";
const pruneAnnotation = `${group}/prune`;

export interface Owner {
  name: string;
  namespace: string;
}

export const ownerLabels = ({ name, namespace }: Owner): Record<string, string> => ({
  [`${group}/name`]: name,
  [`${group}/namespace`]: namespace,
});

export class OwnedObjects {
  readonly #context: ControllerContext;
  readonly #owner: Owner;

  constructor(context: ControllerContext, owner: Owner) {
    this.#context = context;
    this.#owner = owner;
  }

  /** A definition that was just applied is served a moment later. */
  #served(
    discovered: DiscoveredResource[],
    { group: of, kind, version }: { group: string; kind: string; version: string },
  ) {
    const found = discovered.find(
      (one) => one.group === of && one.kind === kind && one.version === version,
    );
    if (found) return found;
    const apiVersion = of ? `${of}/${version}` : version;
    throw new Stop("ReconciliationFailed", `no matches for kind ${kind} in ${apiVersion}`, true);
  }

  #target(discovered: DiscoveredResource[], object: BuildObject): Target {
    const at = { group: groupOf(object), kind: object.kind, version: versionOf(object) };
    const { group: of, version, resource, namespaced } = this.#served(discovered, at);
    const { namespace = "default" } = object.metadata;
    if (namespaced) object.metadata.namespace = namespace;
    else delete object.metadata.namespace;
    return { group: of, version, resource, ...(namespaced && { namespace }) };
  }

  async apply(objects: BuildObject[]): Promise<Entry[]> {
    let discovered = await this.#context.discover();
    const entries: Entry[] = [];
    for (const object of inOrder(objects)) {
      const isKnown = discovered.some(
        (one) => one.kind === object.kind && one.group === groupOf(object),
      );
      if (!isKnown) discovered = await this.#context.discover();
      const target = this.#target(discovered, object);
      const { status: _, ...wanted } = object as any;
      try {
        await apply(this.#context.client, target as never, wanted, { fieldManager });
      } catch (error) {
        const { name, namespace } = object.metadata;
        const where = `${object.kind}/${namespace ? `${namespace}/` : ""}${name}`;
        throw new Stop("ReconciliationFailed", `${where}: ${(error as Error).message}`);
      }
      entries.push(entryOf(object));
    }
    return entries;
  }

  /** Undefined for a kind that nobody serves. */
  async find(entry: Entry): Promise<{ target: Target; live?: KubeObject } | undefined> {
    const discovered = await this.#context.discover();
    const { namespace, name, ...at } = identityOf(entry);
    const found = discovered.find((one) => one.group === at.group && one.kind === at.kind);
    if (!found) return undefined;
    const { group: of, version, resource } = found;
    const target = { group: of, version, resource, name, ...(namespace && { namespace }) };
    const live = await this.#context.client.get(target).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
      return undefined;
    });
    return { target, ...(live && { live }) };
  }

  /** Only what is still this Kustomization's goes. */
  async prune(stale: Entry[]) {
    if (stale.length === 0) return;
    for (const entry of stale) {
      const found = await this.find(entry);
      const metadata = found?.live?.metadata;
      if (!found || !metadata || metadata.deletionTimestamp) continue;
      const { labels = {}, annotations = {} } = metadata;
      const isOurs = Object.entries(ownerLabels(this.#owner)).every(
        ([key, value]) => labels[key] === value,
      );
      if (!isOurs || annotations[pruneAnnotation] === "disabled") continue;
      const options = {
        propagationPolicy: "Background" as const,
        preconditions: { uid: metadata.uid },
      };
      await this.#context.client.delete(found.target, options).catch((error: unknown) => {
        if (!isStatus(error, "NotFound", "Conflict")) throw error;
      });
    }
  }
}
