// The kubelet's own gRPC APIs for those who bring devices: who answers what, under which path.
import devicePlugin from "./data/device-plugin.json" with { type: "json" };

/** Answered by the node: plugins register. */
export const registration = { path: "/v1beta1.Registration", types: devicePlugin };

/** Answered by a device plugin. */
export const plugin = {
  path: "/v1beta1.DevicePlugin",
  types: devicePlugin,
  names: {
    GetDevicePluginOptions: ["Empty", "DevicePluginOptions"],
    ListAndWatch: ["Empty", "ListAndWatchResponse"],
    GetPreferredAllocation: ["PreferredAllocationRequest", "PreferredAllocationResponse"],
  } as Record<string, [string, string]>,
};
