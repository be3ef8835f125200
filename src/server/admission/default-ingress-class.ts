// An Ingress that names no class gets the default one.
import type { Admission } from "../policy.ts";
import { defaultClassOf } from "./default-class.ts";
import type { ObjectReader } from "./object-reader.ts";
import { isAbout } from "./refuse.ts";

const annotation = "ingressclass.kubernetes.io/is-default-class";
const legacyClass = "kubernetes.io/ingress.class";

export const defaultIngressClass = (reader: ObjectReader): Admission => ({
  name: "DefaultIngressClass",
  async mutate(request) {
    if (request.operation !== "CREATE" || !isAbout(request, "ingresses.networking.k8s.io")) return;
    const { metadata, spec } = request.object!;
    if (spec?.ingressClassName !== undefined || metadata.annotations?.[legacyClass]) return;
    const classes = await reader.list("ingressclasses.networking.k8s.io/");
    const name = defaultClassOf(classes, annotation)?.metadata.name;
    if (name) request.object!.spec = { ...spec, ingressClassName: name };
  },
});
