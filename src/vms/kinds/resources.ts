// Kinds of the wing as resources.
import { resource } from "../../client/client.ts";

const kubevirt = "kubevirt.io/v1";
const cdi = "cdi.kubevirt.io/v1beta1";
const snapshot = "snapshot.kubevirt.io/v1beta1";
const instancetype = "instancetype.kubevirt.io/v1beta1";

export const virtualMachines = resource(kubevirt, "virtualmachines");
/** Its status is no subresource: whoever writes it writes the object, with its resourceVersion. */
export const instances = resource(kubevirt, "virtualmachineinstances");
export const migrations = resource(kubevirt, "virtualmachineinstancemigrations");
export const policies = resource("migrations.kubevirt.io/v1alpha1", "migrationpolicies");
export const instanceReplicaSets = resource(kubevirt, "virtualmachineinstancereplicasets");
export const pools = resource("pool.kubevirt.io/v1beta1", "virtualmachinepools");
export const kubeVirts = resource(kubevirt, "kubevirts");
export const instancetypes = resource(instancetype, "virtualmachineinstancetypes");
export const clusterInstancetypes = resource(instancetype, "virtualmachineclusterinstancetypes");
export const preferences = resource(instancetype, "virtualmachinepreferences");
export const clusterPreferences = resource(instancetype, "virtualmachineclusterpreferences");
export const snapshots = resource(snapshot, "virtualmachinesnapshots");
export const snapshotContents = resource(snapshot, "virtualmachinesnapshotcontents");
export const restores = resource(snapshot, "virtualmachinerestores");
export const clones = resource("clone.kubevirt.io/v1beta1", "virtualmachineclones");
export const machineExports = resource("export.kubevirt.io/v1", "virtualmachineexports");
export const dataVolumes = resource(cdi, "datavolumes");
export const dataSources = resource(cdi, "datasources");
export const dataImportCrons = resource(cdi, "dataimportcrons");
export const cdiConfigs = resource(cdi, "cdiconfigs");
export const cdis = resource(cdi, "cdis");

export const namespaces = resource("v1", "namespaces");
export const pods = resource("v1", "pods");
export const quotas = resource("v1", "resourcequotas");
export const claims = resource("v1", "persistentvolumeclaims");
export const controllerRevisions = resource("apps/v1", "controllerrevisions");
