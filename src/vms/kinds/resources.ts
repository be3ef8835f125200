// Kinds of the wing as resources.
import { resource } from "../../client/client.ts";

const kubevirt = "kubevirt.io/v1";
const cdi = "cdi.kubevirt.io/v1beta1";

export const kubeVirts = resource(kubevirt, "kubevirts");
export const cdiConfigs = resource(cdi, "cdiconfigs");
