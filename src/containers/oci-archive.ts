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
}

const digestOf = (data: Buffer) => createHash("sha256").update(data).digest("hex");
const json = (value: object) => Buffer.from(JSON.stringify(value));

export function ociArchive(image: ImageContent): Buffer {
  const layer = tar(image.files);
  const config = json({
    architecture: image.architecture,
    os: "linux",
    config: {
      ...(image.entrypoint && { Entrypoint: image.entrypoint }),
      ...(image.command && { Cmd: image.command }),
      ...(image.user && { User: image.user }),
      Env: image.env ?? ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      WorkingDir: "/",
      ...(image.stopSignal && { StopSignal: image.stopSignal }),
    },
    rootfs: { type: "layers", diff_ids: [`sha256:${digestOf(layer)}`] },
  });
  const describe = (kind: string, data: Buffer) => ({
    mediaType: `application/vnd.oci.image.${kind}`,
    digest: `sha256:${digestOf(data)}`,
    size: data.length,
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: describe("config.v1+json", config),
    layers: [describe("layer.v1.tar", layer)],
  });
  const index = json({
    schemaVersion: 2,
    manifests: [
      {
        ...describe("manifest.v1+json", manifest),
        annotations: {
          "io.containerd.image.name": image.name,
          "org.opencontainers.image.ref.name": image.name.slice(image.name.lastIndexOf(":") + 1),
        },
        platform: { os: "linux", architecture: image.architecture },
      },
    ],
  });
  const blob = (data: Buffer): TarEntry => ({ path: `blobs/sha256/${digestOf(data)}`, data });
  return tar([
    { path: "oci-layout", data: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", data: index },
    { path: "blobs/", type: "directory" },
    { path: "blobs/sha256/", type: "directory" },
    blob(layer),
    blob(config),
    blob(manifest),
  ]);
}
