// A claim asks for more only where its class says that its volumes can grow.
import { parseQuantity } from "../../lib/quantity.ts";
import type { Admission } from "../policy.ts";
import type { ObjectReader } from "./object-reader.ts";
import { isAbout, refuse } from "./refuse.ts";

const sizeOf = (claim: any) => parseQuantity(claim?.spec?.resources?.requests?.storage ?? "0");

export const claimResize = (reader: ObjectReader): Admission => ({
  name: "PersistentVolumeClaimResize",
  async validate(request) {
    if (request.operation !== "UPDATE" || !isAbout(request, "persistentvolumeclaims")) return;
    const { object, old } = request;
    if (sizeOf(object) <= sizeOf(old)) return;
    if (old?.status?.phase !== "Bound")
      throw refuse(request, "Only bound persistent volume claims can be expanded");
    const name = old.spec.storageClassName;
    const storageClass = name && (await reader.get(`storageclasses.storage.k8s.io/${name}`));
    if (storageClass?.["allowVolumeExpansion"] === true) return;
    throw refuse(
      request,
      "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
    );
  },
});
