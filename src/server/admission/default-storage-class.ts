// A claim that names no storage class gets the default one. Naming "" asks for none.
import type { Admission } from "../policy.ts";
import { defaultClassOf } from "./default-class.ts";
import type { ObjectReader } from "./object-reader.ts";
import { isAbout } from "./refuse.ts";

const annotations = [
  "storageclass.kubernetes.io/is-default-class",
  "storageclass.beta.kubernetes.io/is-default-class",
];
const legacyClass = "volume.beta.kubernetes.io/storage-class";

export const defaultStorageClass = (reader: ObjectReader): Admission => ({
  name: "DefaultStorageClass",
  async mutate(request) {
    if (request.operation !== "CREATE" || !isAbout(request, "persistentvolumeclaims")) return;
    const { metadata, spec } = request.object!;
    if (spec.storageClassName !== undefined || metadata.annotations?.[legacyClass]) return;
    const classes = await reader.list("storageclasses.storage.k8s.io/");
    const name = defaultClassOf(classes, ...annotations)?.metadata.name;
    if (name) request.object!.spec = { ...spec, storageClassName: name };
  },
});
