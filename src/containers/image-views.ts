// Read-only views of images, by containerd's own snapshots: CRI of containerd 1.6 mounts no images. A view is
// a root of containerd's garbage collection, so its layers stay when the image's name goes.
import { isGrpc } from "../lib/grpc.ts";
import type { GrpcConnection, GrpcService, Message } from "../lib/grpc.ts";
import type { FileSystem } from "../node/runtime.ts";

const snapshotter = "overlayfs";
const prefix = "kerb-view/";

const field = (id: number, type = "string", rule?: "repeated") => ({
  id,
  type,
  ...(rule && { rule }),
});
const mounts = { fields: { mounts: field(1, "Mount", "repeated") } };

/** Names and numbers as in containerd's api/services/snapshots/v1 (1.6). */
const types = {
  Empty: { fields: {} },
  Mount: {
    fields: {
      type: field(1),
      source: field(2),
      target: field(3),
      options: field(4, "string", "repeated"),
    },
  },
  ViewSnapshotRequest: {
    fields: {
      snapshotter: field(1),
      key: field(2),
      parent: field(3),
      labels: { id: 4, keyType: "string", type: "string" },
    },
  },
  ViewSnapshotResponse: mounts,
  MountsRequest: { fields: { snapshotter: field(1), key: field(2) } },
  MountsResponse: mounts,
  RemoveSnapshotRequest: { fields: { snapshotter: field(1), key: field(2) } },
};

const methods: Record<string, [string, string]> = {
  View: ["ViewSnapshotRequest", "ViewSnapshotResponse"],
  Mounts: ["MountsRequest", "MountsResponse"],
  Remove: ["RemoveSnapshotRequest", "Empty"],
};

const fileSystemOf = ({ mounts: [only] }: Message): FileSystem => {
  const { type, source, options } = only;
  return { type, source, options };
};

export class ImageViews {
  readonly #snapshots: GrpcService;
  readonly #images: GrpcService;

  constructor(connection: GrpcConnection, images: GrpcService) {
    this.#images = images;
    this.#snapshots = connection.service(
      "/containerd.services.snapshots.v1.Snapshots",
      types,
      methods,
      { "containerd-namespace": "k8s.io" },
    );
  }

  async find(name: string): Promise<FileSystem | undefined> {
    try {
      return fileSystemOf(
        await this.#snapshots.call("Mounts", { snapshotter, key: prefix + name }),
      );
    } catch (error) {
      if (isGrpc(error, "NOT_FOUND")) return undefined;
      throw error;
    }
  }

  /** `ref` in its full form. */
  async make(name: string, ref: string): Promise<FileSystem> {
    const request = { image: { image: ref }, verbose: true };
    const { info } = await this.#images.call("ImageStatus", request);
    if (!info.info) throw new Error(`image ${ref} is not there`);
    const { chainID: parent } = JSON.parse(info.info);
    const key = prefix + name;
    const labels = { "containerd.io/gc.root": "kerb" };
    try {
      return fileSystemOf(await this.#snapshots.call("View", { snapshotter, key, parent, labels }));
    } catch (error) {
      const known = isGrpc(error, "ALREADY_EXISTS") ? await this.find(name) : undefined;
      if (known) return known;
      throw error;
    }
  }

  async drop(name: string) {
    try {
      await this.#snapshots.call("Remove", { snapshotter, key: prefix + name });
    } catch (error) {
      if (!isGrpc(error, "NOT_FOUND")) throw error;
    }
  }
}
