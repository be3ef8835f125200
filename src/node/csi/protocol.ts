// What a node says to a driver of volumes (Container Storage Interface 1, service Node) as protobufjs data. Names
// and numbers as in csi.proto.

const field = (id: number, type = "string", rule?: "repeated") => ({
  id,
  type,
  ...(rule && { rule }),
});
const map = (id: number) => ({ id, keyType: "string", type: "string" });
const message = (
  fields: Record<string, ReturnType<typeof field> | ReturnType<typeof map>> = {},
) => ({
  fields,
});

export const csiNode = {
  path: "/csi.v1.Node",
  types: {
    BlockVolume: message(),
    MountVolume: message({
      fs_type: field(1),
      mount_flags: field(2, "string", "repeated"),
      volume_mount_group: field(3),
    }),
    AccessMode: message({ mode: field(1, "int32") }),
    VolumeCapability: message({
      block: field(1, "BlockVolume"),
      mount: field(2, "MountVolume"),
      access_mode: field(3, "AccessMode"),
    }),
    NodeStageVolumeRequest: message({
      volume_id: field(1),
      publish_context: map(2),
      staging_target_path: field(3),
      volume_capability: field(4, "VolumeCapability"),
      secrets: map(5),
      volume_context: map(6),
    }),
    NodeStageVolumeResponse: message(),
    NodeUnstageVolumeRequest: message({ volume_id: field(1), staging_target_path: field(2) }),
    NodeUnstageVolumeResponse: message(),
    NodePublishVolumeRequest: message({
      volume_id: field(1),
      publish_context: map(2),
      staging_target_path: field(3),
      target_path: field(4),
      volume_capability: field(5, "VolumeCapability"),
      readonly: field(6, "bool"),
      secrets: map(7),
      volume_context: map(8),
    }),
    NodePublishVolumeResponse: message(),
    CapacityRange: message({ required_bytes: field(1, "int64"), limit_bytes: field(2, "int64") }),
    NodeExpandVolumeRequest: message({
      volume_id: field(1),
      volume_path: field(2),
      capacity_range: field(3, "CapacityRange"),
      staging_target_path: field(4),
      volume_capability: field(5, "VolumeCapability"),
      secrets: map(6),
    }),
    NodeExpandVolumeResponse: message({ capacity_bytes: field(1, "int64") }),
    NodeGetVolumeStatsRequest: message({
      volume_id: field(1),
      volume_path: field(2),
      staging_target_path: field(3),
    }),
    VolumeUsage: message({
      available: field(1, "int64"),
      total: field(2, "int64"),
      used: field(3, "int64"),
      unit: field(4, "int32"),
    }),
    VolumeCondition: message({ abnormal: field(1, "bool"), message: field(2) }),
    NodeGetVolumeStatsResponse: message({
      usage: field(1, "VolumeUsage", "repeated"),
      volume_condition: field(2, "VolumeCondition"),
    }),
    NodeUnpublishVolumeRequest: message({ volume_id: field(1), target_path: field(2) }),
    NodeUnpublishVolumeResponse: message(),
    NodeGetCapabilitiesRequest: message(),
    Rpc: message({ type: field(1, "int32") }),
    NodeServiceCapability: message({ rpc: field(1, "Rpc") }),
    NodeGetCapabilitiesResponse: message({
      capabilities: field(1, "NodeServiceCapability", "repeated"),
    }),
    NodeGetInfoRequest: message(),
    Topology: message({ segments: map(1) }),
    NodeGetInfoResponse: message({
      node_id: field(1),
      max_volumes_per_node: field(2, "int64"),
      accessible_topology: field(3, "Topology"),
    }),
  },
};

/** Of NodeServiceCapability. */
export const abilities = {
  stages: 1,
  tellsUsage: 2,
  expands: 3,
  tellsCondition: 4,
  countsWriters: 5,
  mountsForGroup: 6,
} as const;

export type Ability = keyof typeof abilities;

/** Of VolumeUsage. */
export const units = { bytes: 1, inodes: 2 } as const;

const accessModes: Record<string, number> = {
  ReadWriteOnce: 1,
  ReadOnlyMany: 3,
  ReadWriteMany: 5,
  ReadWriteOncePod: 1,
};
const countedModes: Record<string, number> = { ReadWriteOnce: 7, ReadWriteOncePod: 6 };

/** Of VolumeCapability; drivers that count writers tell one pod from many. Pure. */
export const accessModeOf = (mode: string, countsWriters: boolean) =>
  (countsWriters ? countedModes[mode] : undefined) ?? accessModes[mode];
