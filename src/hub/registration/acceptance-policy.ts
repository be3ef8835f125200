// Who may accept a site: whoever may update `managedclusters/accept`. A policy says so, since a site could
// otherwise accept itself when it introduces itself.
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";

const group = "admissionregistration.k8s.io/v1";
const policies = resource(group, "validatingadmissionpolicies");
const bindings = resource(group, "validatingadmissionpolicybindings");
const name = "kerb-managed-cluster-acceptance";

const accepted = (object: string) =>
  `(has(${object}.spec) && has(${object}.spec.hubAcceptsClient) && ${object}.spec.hubAcceptsClient)`;
const mayAccept =
  'authorizer.group("register.open-cluster-management.io").resource("managedclusters")' +
  '.subresource("accept").name(object.metadata.name).check("update").allowed()';

export async function ensureAcceptancePolicy(client: Client) {
  const manager = { fieldManager: "kerb-hub" };
  await apply(
    client,
    policies,
    {
      apiVersion: group,
      kind: "ValidatingAdmissionPolicy",
      metadata: { name },
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: ["cluster.open-cluster-management.io"],
              apiVersions: ["*"],
              operations: ["CREATE", "UPDATE"],
              resources: ["managedclusters"],
            },
          ],
        },
        validations: [
          {
            expression: `(oldObject == null ? false : ${accepted("oldObject")}) == ${accepted("object")} || ${mayAccept}`,
            message:
              "spec.hubAcceptsClient may be changed by those who may update managedclusters/accept",
            reason: "Forbidden",
          },
        ],
      },
    },
    manager,
  );
  await apply(
    client,
    bindings,
    {
      apiVersion: group,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name },
      spec: { policyName: name, validationActions: ["Deny"] },
    },
    manager,
  );
}
