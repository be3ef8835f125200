// VirtualMachineExport: which disks it gives, under which addresses, and for how long. Pure.
import { durationMs } from "../../lib/parse-duration.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { diskFile } from "../disks/task.ts";
import { dumpAnnotation } from "../memory-dump/request.ts";
import { claimsByVolume, copiesName, copyFile } from "./snapshot-content.ts";

export interface ExportedDisk {
  /** As the links name it. */
  name: string;
  claim: string;
  file: string;
}

const disk = (claim: string): ExportedDisk => ({ name: claim, claim, file: diskFile });

const dumpName = /^[A-Za-z0-9][A-Za-z0-9._-]*\.memory\.dump$/;

/** A claim may hold a dump of a machine's memory instead of a disk. */
function ofClaim({ metadata: { name, annotations } }: KubeObject): ExportedDisk {
  const dump = annotations?.[dumpAnnotation];
  return { ...disk(name), ...(dump && dumpName.test(dump) && { file: dump }) };
}

/** `source` is the object that is named; undefined for kinds that are not exported. */
export function exportedDisks(kind: string, source: KubeObject, content?: KubeObject) {
  if (kind === "PersistentVolumeClaim") return [ofClaim(source)];
  if (kind === "VirtualMachine") {
    return claimsByVolume(source.spec.template.spec).map(({ claimName }) => disk(claimName));
  }
  if (kind !== "VirtualMachineSnapshot") return undefined;
  const backups: any[] = content?.spec.volumeBackups ?? [];
  return backups.map(({ volumeName }) => ({
    ...{ name: volumeName, claim: copiesName(source), file: copyFile(volumeName) },
  }));
}

const lifeMsDefault = 2 * 3_600_000;

export const expiresAtMs = ({ metadata, spec }: KubeObject) =>
  Date.parse(metadata.creationTimestamp) + (durationMs(spec.ttlDuration) ?? lifeMsDefault);

export const exportPath = (namespace: string, name: string, volume: string) =>
  `/api/export.kubevirt.io/v1/namespaces/${namespace}/virtualmachineexports/${name}/volumes/${volume}`;

/** Of a path as `exportPath` and a file make it. */
export function parseExportPath(path: string) {
  const found =
    /^\/api\/export\.kubevirt\.io\/v1(?:beta1)?\/namespaces\/([^/]+)\/virtualmachineexports\/([^/]+)\/volumes\/([^/]+)\/(disk\.img(?:\.gz)?)$/.exec(
      path,
    );
  if (!found) return undefined;
  const [, namespace, name, volume, file] = found as unknown as [
    string,
    string,
    string,
    string,
    string,
  ];
  return { namespace, name, volume, file };
}

const manifestFiles = { all: "all", "auth-header-secret": "secret" };

/** Machines have manifests, claims alone have none. */
export const hasManifests = (kind: string) => kind !== "PersistentVolumeClaim";

const manifestPath = (namespace: string, name: string, file: string) =>
  `/api/export.kubevirt.io/v1/namespaces/${namespace}/virtualmachineexports/${name}/manifests/${file}`;

/** Of a path as `manifestPath` makes it. */
export function parseManifestPath(path: string) {
  const found =
    /^\/api\/export\.kubevirt\.io\/v1\/namespaces\/([^/]+)\/virtualmachineexports\/([^/]+)\/manifests\/(all|secret)$/.exec(
      path,
    );
  if (!found) return undefined;
  const [, namespace, name, file] = found as unknown as [string, string, string, "all" | "secret"];
  return { namespace, name, file };
}

export function exportLinks(
  { metadata, spec }: KubeObject,
  disks: ExportedDisk[],
  at: { url: string; ca: string },
) {
  const base = (volume: string) => at.url + exportPath(metadata.namespace!, metadata.name, volume);
  const link = {
    cert: at.ca,
    ...(hasManifests(spec.source.kind) && {
      manifests: Object.entries(manifestFiles).map(([type, file]) => ({
        type,
        url: at.url + manifestPath(metadata.namespace!, metadata.name, file),
      })),
    }),
    volumes: disks.map(({ name }) => ({
      name,
      formats: [
        { format: "raw", url: `${base(name)}/disk.img` },
        { format: "gzip", url: `${base(name)}/disk.img.gz` },
      ],
    })),
  };
  return { external: link, internal: link };
}
