// Objects live in namespaces that exist and are not on their way out; three namespaces never go.
import { notFound, StatusError } from "../../lib/status-error.ts";
import type { Admission } from "../policy.ts";
import type { ObjectReader } from "./object-reader.ts";
import { isAbout, refuse } from "./refuse.ts";

const immortal = new Set(["default", "kube-system", "kube-public"]);

export const namespaceLifecycle = (reader: ObjectReader): Admission => ({
  name: "NamespaceLifecycle",
  async mutate(request) {
    const { operation, name, namespace } = request;
    if (isAbout(request, "namespaces")) {
      if (operation === "DELETE" && immortal.has(name)) {
        throw refuse(request, "this namespace may not be deleted");
      }
      return;
    }
    if (operation !== "CREATE" || !namespace) return;
    const found = await reader.get(`namespaces/${namespace}`);
    if (!found) throw notFound({ group: "", resource: "namespaces" }, namespace);
    if (found.status?.phase !== "Terminating" && !found.metadata.deletionTimestamp) return;
    const { message, details } = refuse(
      request,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
    );
    const cause = {
      reason: "NamespaceTerminating",
      message: `namespace ${namespace} is being terminated`,
      field: "metadata.namespace",
    };
    throw new StatusError("Forbidden", message, { details: { ...details, causes: [cause] } });
  },
});
