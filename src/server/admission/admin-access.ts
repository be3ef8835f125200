// Claims that look into devices which are others' are made only where an administrator has said so, by a
// label of the namespace (KEP-5018).
import { forbiddenValue } from "../../kinds/field-checks.ts";
import { invalid } from "../../lib/status-error.ts";
import type { Admission } from "../policy.ts";
import type { ObjectReader } from "./object-reader.ts";
import { isAbout } from "./refuse.ts";

const label = "resource.kubernetes.io/admin-access";

/** Paths of the requests that ask for it. Pure. */
export function adminRequests(spec: any, at: string): string[] {
  return (spec?.devices?.requests ?? []).flatMap(({ exactly }: any, i: number) =>
    exactly?.adminAccess === true ? [`${at}.devices.requests[${i}].exactly.adminAccess`] : [],
  );
}

export const adminAccess = (reader: ObjectReader): Admission => ({
  name: "DRAAdminAccess",
  async validate(request) {
    const { object, operation, kind } = request;
    if (!object || (operation !== "CREATE" && operation !== "UPDATE")) return;
    const isClaim = isAbout(request, "resourceclaims.resource.k8s.io");
    if (!isClaim && !isAbout(request, "resourceclaimtemplates.resource.k8s.io")) return;
    const fields = isClaim
      ? adminRequests(object.spec, "spec")
      : adminRequests(object.spec?.spec, "spec.spec");
    if (fields.length === 0) return;
    const namespace = await reader.get(`namespaces/${object.metadata.namespace}`);
    if (namespace?.metadata.labels?.[label] === "true") return;
    const why = `admin access to devices requires the \`${label}: true\` label on the containing namespace`;
    const errors = fields.map((field) => forbiddenValue(field, why));
    throw invalid(kind.kind, kind.group, object.metadata.name, errors);
  },
});
