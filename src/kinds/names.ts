// What the published document does not say of resources: the short names and categories people type,
// where scale finds its numbers, what field selectors may name, and which kinds are not simply stored.
import type { Kind, ScalePaths } from "./kind.ts";

type Naming = Partial<
  Pick<
    Kind,
    | "shortNames"
    | "categories"
    | "scale"
    | "selectableFields"
    | "fieldReads"
    | "volatile"
    | "virtual"
    | "singular"
  >
>;

const replicas = (selector: string): ScalePaths => ({
  specReplicasPath: ".spec.replicas",
  statusReplicasPath: ".status.replicas",
  labelSelectorPath: selector,
});
const all = ["all"];
const involved = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];
const eventFields = [
  ...involved.map((field) => `involvedObject.${field}`),
  "reason",
  "reportingComponent",
  "source",
  "type",
];

/** By resource name: plural, a dot and the group unless core. */
export const namings: Record<string, Naming> = {
  componentstatuses: { shortNames: ["cs"] },
  configmaps: { shortNames: ["cm"] },
  endpoints: { shortNames: ["ep"], singular: "endpoints" },
  events: {
    shortNames: ["ev"],
    selectableFields: eventFields,
    fieldReads: { source: { path: "source.component", otherwise: "reportingComponent" } },
    volatile: true,
  },
  limitranges: { shortNames: ["limits"] },
  namespaces: { shortNames: ["ns"], selectableFields: ["status.phase"] },
  nodes: {
    shortNames: ["no"],
    selectableFields: ["spec.unschedulable"],
    fieldReads: { "spec.unschedulable": { absent: "false" } },
  },
  persistentvolumeclaims: { shortNames: ["pvc"] },
  persistentvolumes: { shortNames: ["pv"] },
  pods: {
    shortNames: ["po"],
    categories: all,
    selectableFields: [
      "spec.nodeName",
      "spec.restartPolicy",
      "spec.schedulerName",
      "spec.serviceAccountName",
      "spec.hostNetwork",
      "status.phase",
      "status.podIP",
      "status.podIPs",
      "status.nominatedNodeName",
    ],
    fieldReads: { "spec.hostNetwork": { absent: "false" } },
  },
  replicationcontrollers: {
    shortNames: ["rc"],
    categories: all,
    scale: replicas(".spec.selector"),
    selectableFields: ["status.replicas"],
    fieldReads: { "status.replicas": { absent: "0" } },
  },
  resourcequotas: { shortNames: ["quota"] },
  secrets: { selectableFields: ["type"] },
  serviceaccounts: { shortNames: ["sa"] },
  services: {
    shortNames: ["svc"],
    categories: all,
    selectableFields: ["spec.clusterIP", "spec.type"],
  },
  "customresourcedefinitions.apiextensions.k8s.io": {
    shortNames: ["crd", "crds"],
    categories: ["api-extensions"],
  },
  "apiservices.apiregistration.k8s.io": { categories: ["api-extensions"] },
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": { categories: ["api-extensions"] },
  "validatingwebhookconfigurations.admissionregistration.k8s.io": {
    categories: ["api-extensions"],
  },
  "validatingadmissionpolicies.admissionregistration.k8s.io": { categories: ["api-extensions"] },
  "validatingadmissionpolicybindings.admissionregistration.k8s.io": {
    categories: ["api-extensions"],
  },
  "mutatingadmissionpolicies.admissionregistration.k8s.io": { categories: ["api-extensions"] },
  "mutatingadmissionpolicybindings.admissionregistration.k8s.io": {
    categories: ["api-extensions"],
  },
  "daemonsets.apps": { shortNames: ["ds"], categories: all },
  "deployments.apps": {
    shortNames: ["deploy"],
    categories: all,
    scale: replicas(".spec.selector"),
  },
  "replicasets.apps": {
    shortNames: ["rs"],
    categories: all,
    scale: replicas(".spec.selector"),
    selectableFields: ["status.replicas"],
    fieldReads: { "status.replicas": { absent: "0" } },
  },
  "statefulsets.apps": {
    shortNames: ["sts"],
    categories: all,
    scale: replicas(".spec.selector"),
  },
  "horizontalpodautoscalers.autoscaling": { shortNames: ["hpa"], categories: all },
  "cronjobs.batch": { shortNames: ["cj"], categories: all },
  "jobs.batch": {
    categories: all,
    selectableFields: ["status.successful"],
    fieldReads: { "status.successful": { path: "status.succeeded", absent: "0" } },
  },
  "certificatesigningrequests.certificates.k8s.io": {
    shortNames: ["csr"],
    selectableFields: ["spec.signerName"],
  },
  "leases.coordination.k8s.io": { volatile: true },
  "events.events.k8s.io": {
    shortNames: ["ev"],
    selectableFields: [
      ...involved.map((field) => `regarding.${field}`),
      "reason",
      "reportingController",
      "type",
    ],
    volatile: true,
  },
  "ingresses.networking.k8s.io": { shortNames: ["ing"] },
  "ipaddresses.networking.k8s.io": { shortNames: ["ip"], selectableFields: ["spec.parentRef"] },
  "networkpolicies.networking.k8s.io": { shortNames: ["netpol"] },
  "poddisruptionbudgets.policy": { shortNames: ["pdb"] },
  "priorityclasses.scheduling.k8s.io": { shortNames: ["pc"] },
  "resourceslices.resource.k8s.io": { selectableFields: ["spec.nodeName", "spec.driver"] },
  "storageclasses.storage.k8s.io": { shortNames: ["sc"] },
  "volumeattributesclasses.storage.k8s.io": { shortNames: ["vac"] },
  bindings: { virtual: true },
  "tokenreviews.authentication.k8s.io": { virtual: true },
  "selfsubjectreviews.authentication.k8s.io": { virtual: true },
  "localsubjectaccessreviews.authorization.k8s.io": { virtual: true },
  "selfsubjectaccessreviews.authorization.k8s.io": { virtual: true },
  "selfsubjectrulesreviews.authorization.k8s.io": { virtual: true },
  "subjectaccessreviews.authorization.k8s.io": { virtual: true },
};
