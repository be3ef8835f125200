// An OCI image layout of one layer in a tar file (image-spec 1.1), as `kerb image import` reads it.
import { createHash } from "node:crypto";
import { tar } from "./tar.ts";
import type { TarEntry } from "./tar.ts";

export interface ImageContent {
  /** Full reference, `docker.io/library/busybox:1`. */
  name: string;
  architecture: string;
  files: TarEntry[];
  entrypoint?: string[];
  command?: string[];
  env?: string[];
  /** How containers are asked to end; absent: SIGTERM. */
  stopSignal?: string;
  user?: string;
  labels?: Record<string, string>;
}

const digestOf = (data: Buffer) => createHash("sha256").update(data).digest("hex");
const json = (value: object) => Buffer.from(JSON.stringify(value));

/** A layer as it lies in a registry. */
export interface ImageLayer {
  mediaType: string;
  data: Buffer;
}

export function ociArchive(image: ImageContent): Buffer {
  const layer = tar(image.files);
  const config = {
    architecture: image.architecture,
    os: "linux",
    config: {
      ...(image.entrypoint && { Entrypoint: image.entrypoint }),
      ...(image.command && { Cmd: image.command }),
      ...(image.user && { User: image.user }),
      ...(image.labels && { Labels: image.labels }),
      Env: image.env ?? ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      WorkingDir: "/",
      ...(image.stopSignal && { StopSignal: image.stopSignal }),
    },
    rootfs: { type: "layers", diff_ids: [`sha256:${digestOf(layer)}`] },
  };
  const mediaType = "application/vnd.oci.image.layer.v1.tar";
  return layoutArchive(image.name, config, [{ mediaType, data: layer }]);
}

/** `config` as image-spec has it, with the architecture in it. */
export function layoutArchive(
  name: string,
  config: { architecture: string; [field: string]: unknown },
  layers: ImageLayer[],
): Buffer {
  const describe = (mediaType: string, data: Buffer) => ({
    mediaType,
    digest: `sha256:${digestOf(data)}`,
    size: data.length,
  });
  const configBytes = json(config);
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = json({
    schemaVersion: 2,
    mediaType: manifestType,
    config: describe("application/vnd.oci.image.config.v1+json", configBytes),
    layers: layers.map(({ mediaType, data }) => describe(mediaType, data)),
  });
  const index = json({
    schemaVersion: 2,
    manifests: [
      {
        ...describe(manifestType, manifest),
        annotations: {
          "io.containerd.image.name": name,
          "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
        },
        platform: { os: "linux", architecture: config.architecture },
      },
    ],
  });
  const blobs = new Map(
    [...layers.map(({ data }) => data), configBytes, manifest].map((data) => [
      digestOf(data),
      data,
    ]),
  );
  return tar([
    { path: "oci-layout", data: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", data: index },
    { path: "blobs/", type: "directory" },
    { path: "blobs/sha256/", type: "directory" },
    ...[...blobs].map(([digest, data]): TarEntry => ({ path: `blobs/sha256/${digest}`, data })),
  ]);
}
