// Which instance type and preference a machine's disk asks for: its claim, DataVolume or DataSource says so by
// labels. What is found takes the place of `inferFromVolume` in the machine's spec.
import type { Client, Resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { badRequest, isStatus } from "../../lib/status-error.ts";
import { claims, dataSources, dataVolumes } from "../kinds/resources.ts";

const prefix = "instancetype.kubevirt.io/default-";
const fields = ["instancetype", "preference"] as const;
type Field = (typeof fields)[number];

interface Found {
  name: string;
  kind?: string;
}

/** Undefined means: it is there, and does not say. */
type Look = Promise<Found | undefined>;

const said = ({ metadata: { labels = {} } }: KubeObject, field: Field): Found | undefined => {
  const name = labels[prefix + field];
  const kind = labels[`${prefix}${field}-kind`];
  return name ? { name, ...(kind && { kind }) } : undefined;
};

class Inference {
  readonly #client: Client;
  readonly #vm: KubeObject;
  readonly #field: Field;

  constructor(client: Client, vm: KubeObject, field: Field) {
    this.#client = client;
    this.#vm = vm;
    this.#field = field;
  }

  #get(resource: Resource, name: string, namespace = this.#vm.metadata.namespace) {
    return this.#client.get({ ...resource, namespace, name });
  }

  async #ofClaim(name: string, namespace?: string): Look {
    return said(await this.#get(claims, name, namespace), this.#field);
  }

  async #ofSource({ source, sourceRef }: any): Look {
    if (source?.pvc) return this.#ofClaim(source.pvc.name, source.pvc.namespace);
    if (sourceRef?.kind !== "DataSource") return undefined;
    const found = await this.#get(dataSources, sourceRef.name, sourceRef.namespace);
    const { pvc } = found.spec.source ?? {};
    const own = said(found, this.#field);
    return own ?? (pvc && this.#ofClaim(pvc.name, pvc.namespace ?? found.metadata.namespace));
  }

  async #ofDataVolume(name: string): Look {
    const { dataVolumeTemplates = [] } = this.#vm.spec;
    const template = dataVolumeTemplates.find((one: any) => one.metadata?.name === name);
    if (template) return said(template, this.#field) ?? this.#ofSource(template.spec);
    const found = await this.#get(dataVolumes, name).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
    if (!found) return this.#ofClaim(name);
    return said(found, this.#field) ?? this.#ofSource(found.spec);
  }

  of(volumeName: string): Look {
    const { volumes = [] } = this.#vm.spec.template.spec;
    const volume = volumes.find(({ name }: any) => name === volumeName);
    if (!volume) throw badRequest(`unable to find volume ${volumeName} to infer defaults`);
    if (volume.persistentVolumeClaim) return this.#ofClaim(volume.persistentVolumeClaim.claimName);
    if (volume.dataVolume) return this.#ofDataVolume(volume.dataVolume.name);
    return Promise.resolve(undefined);
  }
}

/**
 * What the machine's spec is to say instead (null: nothing), by field; undefined where it asks for no inference.
 * Throws BadRequest and NotFound where it insists on an answer and there is none.
 */
export async function inferSizing(client: Client, vm: KubeObject) {
  const patch: Partial<Record<Field, object | null>> & { template?: object } = {};
  for (const field of fields) {
    const { inferFromVolume, inferFromVolumeFailurePolicy } = vm.spec[field] ?? {};
    if (!inferFromVolume) continue;
    const mayLack = inferFromVolumeFailurePolicy === "Ignore";
    const found = await new Inference(client, vm, field).of(inferFromVolume);
    if (!found && !mayLack) {
      const label = `${prefix}${field}`;
      throw badRequest(`unable to find required ${label} label on volume ${inferFromVolume}`);
    }
    const asked = { inferFromVolume: null, inferFromVolumeFailurePolicy: null };
    patch[field] = found ? { ...asked, ...found } : null;
    // The size that was written in case there would be no type.
    const memory = { spec: { domain: { memory: null } } };
    if (found && mayLack && field === "instancetype") patch.template = memory;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}
