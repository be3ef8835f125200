// What plugins share: which requests are about a resource, and refusals in upstream's form.
import { forbidden } from "../../lib/status-error.ts";
import type { AdmissionRequest } from "../policy.ts";

/** True for writes of the object itself; `resource` is `pods`, `ingresses.networking.k8s.io`. */
export function isAbout({ kind, subresource }: AdmissionRequest, resource: string): boolean {
  return (
    subresource === "" && (kind.group ? `${kind.plural}.${kind.group}` : kind.plural) === resource
  );
}

/** 403: `pods "web" is forbidden: WHY`. */
export function refuse({ kind, name, object }: AdmissionRequest, why: string) {
  const of = { group: kind.group, resource: kind.plural };
  return forbidden(of, name || object?.metadata.name || "", why);
}
