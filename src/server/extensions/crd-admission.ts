// CustomResourceDefinitions on their way in: what the writer left out is filled in, the finalizer
// that holds a definition until its objects are gone is put on, and what is wrong is refused.
import { loadCel } from "../cel/load.ts";
import type { Admission, AdmissionRequest } from "../policy.ts";
import { cleanupFinalizer, crdGroup, crdHasRules, crdPlural, type Crd } from "./crd.ts";
import { validateCrd } from "./validate-crd.ts";

const isCrd = ({ kind }: AdmissionRequest) => kind.group === crdGroup && kind.plural === crdPlural;

/** Fills in defaults, in place. */
export function defaultCrd(crd: Crd) {
  const { spec, metadata } = crd;
  if (!spec) return;
  const { names } = spec;
  if (names?.kind) {
    names.singular ??= names.kind.toLowerCase();
    names.listKind ??= `${names.kind}List`;
  }
  spec.conversion ??= { strategy: "None" };
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service) service.port ??= 443;
  if (metadata.deletionTimestamp || metadata.finalizers?.includes(cleanupFinalizer)) return;
  metadata.finalizers = [...(metadata.finalizers ?? []), cleanupFinalizer];
}

async function judgeCrd({ object, old }: AdmissionRequest) {
  const crd = object as Crd;
  if (crdHasRules(crd)) await loadCel();
  return validateCrd(crd, old as Crd | undefined);
}

export const crdAdmission: Admission = {
  name: "CustomResourceDefinition",
  async mutate(request) {
    if (!isCrd(request) || !request.object || request.subresource !== "") return;
    const old = request.old as Crd | undefined;
    const crd = request.object as Crd;
    if (old?.metadata.deletionTimestamp) {
      crd.metadata.deletionTimestamp = old.metadata.deletionTimestamp;
    }
    defaultCrd(crd);
  },
  judge(request) {
    return isCrd(request) && request.object ? judgeCrd(request) : undefined;
  },
};
