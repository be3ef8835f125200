// The kubelet's own gRPC APIs for those who bring devices: who answers what, under which path.
import devicePlugin from "./data/device-plugin.json" with { type: "json" };
import draHealth from "./data/dra-health.json" with { type: "json" };
import dra from "./data/dra.json" with { type: "json" };
import pluginRegistration from "./data/plugin-registration.json" with { type: "json" };
import podResources from "./data/pod-resources.json" with { type: "json" };

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

/** Answered by the node. */
export const lister = { path: "/v1.PodResourcesLister", types: podResources };

/** Answered by whoever puts a socket into `plugins_registry`. */
export const pluginWatcher = {
  path: "/pluginregistration.Registration",
  types: pluginRegistration,
  names: {
    GetInfo: ["InfoRequest", "PluginInfo"],
    NotifyRegistrationStatus: ["RegistrationStatus", "RegistrationStatusResponse"],
  } as Record<string, [string, string]>,
};

/** Answered by a driver of dynamic resources, in one of these versions, the newest first. */
export const driver = {
  types: dra,
  paths: new Map(
    ["v1", "v1beta1"].map((version) => [
      `${version}.DRAPlugin`,
      `/k8s.io.kubelet.pkg.apis.dra.${version}.DRAPlugin`,
    ]),
  ),
};

/** Answered by a driver that says how its devices are; the newest version first. */
export const driverHealth = {
  types: draHealth,
  paths: ["v1", "v1alpha1"].map((version) => `/${version}.DRAResourceHealth`),
};
