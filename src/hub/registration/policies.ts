// Who may do what RBAC has no verb for, as ValidatingAdmissionPolicies: accept a site
// (`managedclusters/accept`), put it into a set (`managedclustersets/join`) and use a set in a namespace
// (`managedclustersets/bind`). Without them a site could accept itself when it introduces itself.
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { fleetGroup } from "../kinds/fleet.ts";
import { clusterSetLabel, hubGroup, managedClustersGroup } from "../names.ts";

const group = "admissionregistration.k8s.io/v1";
const policies = resource(group, "validatingadmissionpolicies");
const bindings = resource(group, "validatingadmissionpolicybindings");

interface Validation {
  expression: string;
  message: string;
  reason: "Forbidden" | "Invalid";
}

const may = (
  verb: string,
  subresource: string,
  of: [group: string, plural: string, name: string],
) =>
  `authorizer.group("${of[0]}").resource("${of[1]}").subresource("${subresource}")` +
  `.name(${of[2]}).check("${verb}").allowed()`;

const accepted = (object: string) =>
  `(has(${object}.spec) && has(${object}.spec.hubAcceptsClient) && ${object}.spec.hubAcceptsClient)`;
const setOf = (object: string) =>
  `(has(${object}.metadata.labels) && "${clusterSetLabel}" in ${object}.metadata.labels ` +
  `? ${object}.metadata.labels["${clusterSetLabel}"] : "")`;
const before = (read: (object: string) => string, otherwise: string) =>
  `(oldObject == null ? ${otherwise} : ${read("oldObject")})`;

const mayAccept = may("update", "accept", [
  "register.open-cluster-management.io",
  "managedclusters",
  "object.metadata.name",
]);
const mayJoin = may("create", "join", [hubGroup, "managedclustersets", setOf("object")]);
const mayBind = may("create", "bind", [hubGroup, "managedclustersets", "object.spec.clusterSet"]);

/** Of a site's own writes: what the hub's people and rules decide about it stays. */
const isSite = `request.userInfo.groups.exists(g, g == "${managedClustersGroup}")`;
const same = (path: string) =>
  `(has(object.${path}) ? dyn(object.${path}) : dyn([])) == (has(oldObject.${path}) ? dyn(oldObject.${path}) : dyn([]))`;

const all: [name: string, plural: string, validations: Validation[]][] = [
  [
    "kerb-managed-cluster",
    "managedclusters",
    [
      {
        expression: `${before(accepted, "false")} == ${accepted("object")} || ${mayAccept}`,
        message:
          "spec.hubAcceptsClient may be changed by those who may update managedclusters/accept",
        reason: "Forbidden",
      },
      {
        expression:
          `${setOf("object")} in ["", "default"] || ` +
          `${setOf("object")} == ${before(setOf, '""')} || ${mayJoin}`,
        message: `the label ${clusterSetLabel} may be set by those who may create managedclustersets/join`,
        reason: "Forbidden",
      },
      {
        expression: `oldObject == null || !${isSite} || (${same("metadata.labels")} && ${same("spec.taints")})`,
        message: "a site cannot change its own labels and taints: they decide what it is given",
        reason: "Forbidden",
      },
    ],
  ],
  [
    "kerb-auto-accept-rule",
    "autoacceptrules",
    [
      {
        expression: may("update", "accept", [
          "register.open-cluster-management.io",
          "managedclusters",
          '"*"',
        ]),
        message: "who may not accept any site may not make rules that do",
        reason: "Forbidden",
      },
    ],
  ],
  [
    "kerb-managed-cluster-set-binding",
    "managedclustersetbindings",
    [
      {
        expression: "object.metadata.name == object.spec.clusterSet",
        message: "metadata.name must be the same as spec.clusterSet",
        reason: "Invalid",
      },
      {
        expression: mayBind,
        message: "a set may be bound by those who may create managedclustersets/bind",
        reason: "Forbidden",
      },
    ],
  ],
];

export async function ensurePolicies(client: Client) {
  const manager = { fieldManager: "kerb-hub" };
  for (const [name, plural, validations] of all) {
    const rule = {
      apiGroups: [hubGroup, fleetGroup],
      apiVersions: ["*"],
      operations: ["CREATE", "UPDATE"],
      resources: [plural],
    };
    const spec = {
      failurePolicy: "Fail",
      matchConstraints: { resourceRules: [rule] },
      validations,
    };
    const metadata = { name };
    const policy = { apiVersion: group, kind: "ValidatingAdmissionPolicy", metadata, spec };
    await apply(client, policies, policy, manager);
    const kind = "ValidatingAdmissionPolicyBinding";
    const bound = { policyName: name, validationActions: ["Deny"] };
    await apply(client, bindings, { apiVersion: group, kind, metadata, spec: bound }, manager);
  }
}
