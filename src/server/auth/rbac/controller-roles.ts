// The roles of Kubernetes' controllers, each bound to the service account of the same name in
// kube-system. Kerb's own controllers run in its process; these stand for whoever brings another.
import type { Grant } from "./default-roles.ts";

const read = "get list watch";
const events: Grant = ["create patch update", "events events.k8s.io:events"];

/** Without the prefix `system:controller:`. */
export const controllerRoles: Record<string, Grant[]> = {
  "attachdetach-controller": [
    ["list watch", "persistentvolumes persistentvolumeclaims pods storage.k8s.io:csidrivers"],
    [read, "nodes storage.k8s.io:csinodes"],
    ["patch update", "nodes/status"],
    ["create delete get list patch watch", "storage.k8s.io:volumeattachments"],
    events,
  ],
  "certificate-controller": [
    ["delete get list watch", "certificates.k8s.io:certificatesigningrequests"],
    [
      "update",
      "certificates.k8s.io:certificatesigningrequests/status " +
        "certificates.k8s.io:certificatesigningrequests/approval",
    ],
    ["approve", "certificates.k8s.io:signers", "kubernetes.io/kube-apiserver-client-kubelet"],
    [
      "sign",
      "certificates.k8s.io:signers",
      "kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet " +
        "kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown",
    ],
    ["create", "authorization.k8s.io:subjectaccessreviews"],
    events,
  ],
  "clusterrole-aggregation-controller": [
    ["escalate get list patch update watch", "rbac.authorization.k8s.io:clusterroles"],
  ],
  "cronjob-controller": [
    ["get list update watch", "batch:cronjobs"],
    ["create delete get list patch update watch", "batch:jobs"],
    ["update", "batch:cronjobs/status batch:cronjobs/finalizers"],
    ["delete list", "pods"],
    events,
  ],
  "daemon-set-controller": [
    [read, "apps:daemonsets"],
    ["update", "apps:daemonsets/status apps:daemonsets/finalizers"],
    ["list watch", "nodes"],
    ["create delete list patch watch", "pods"],
    ["create", "pods/binding"],
    ["create delete get list patch update watch", "apps:controllerrevisions"],
    events,
  ],
  "deployment-controller": [
    ["get list update watch", "apps:deployments"],
    ["update", "apps:deployments/status apps:deployments/finalizers"],
    ["create delete get list patch update watch", "apps:replicasets"],
    ["get list update watch", "pods"],
    events,
  ],
  "disruption-controller": [
    [read, "apps:deployments apps:replicasets replicationcontrollers"],
    [read, "policy:poddisruptionbudgets apps:statefulsets"],
    ["update", "policy:poddisruptionbudgets/status"],
    [read, "pods"],
    ["patch update", "pods/status"],
    ["get", "*:*/scale"],
    events,
  ],
  "endpoint-controller": [
    [read, "pods services"],
    ["create delete get list update", "endpoints"],
    ["create", "endpoints/restricted"],
    events,
  ],
  "endpointslice-controller": [
    [read, "nodes pods services"],
    ["update", "services/finalizers"],
    ["create delete get list update watch", "discovery.k8s.io:endpointslices"],
    ["create", "discovery.k8s.io:endpointslices/restricted"],
    events,
  ],
  "endpointslicemirroring-controller": [
    [read, "endpoints services"],
    ["update", "services/finalizers endpoints/finalizers"],
    ["create delete get list update watch", "discovery.k8s.io:endpointslices"],
    ["create", "discovery.k8s.io:endpointslices/restricted"],
    events,
  ],
  "ephemeral-volume-controller": [
    [read, "pods"],
    ["update", "pods/finalizers"],
    ["create get list watch", "persistentvolumeclaims"],
    events,
  ],
  "expand-controller": [
    ["get list patch update watch", "persistentvolumes"],
    ["patch update", "persistentvolumeclaims/status"],
    [read, "persistentvolumeclaims"],
    events,
  ],
  "generic-garbage-collector": [["delete get list patch update watch", "*:*"], events],
  "horizontal-pod-autoscaler": [
    [read, "autoscaling:horizontalpodautoscalers"],
    ["update", "autoscaling:horizontalpodautoscalers/status"],
    ["get update", "*:*/scale"],
    ["list", "pods"],
    ["list", "metrics.k8s.io:pods custom.metrics.k8s.io:* external.metrics.k8s.io:*"],
    ["get", "custom.metrics.k8s.io:* external.metrics.k8s.io:*"],
    events,
  ],
  "job-controller": [
    ["get list patch update watch", "batch:jobs"],
    ["update", "batch:jobs/status batch:jobs/finalizers"],
    ["create delete list patch watch", "pods"],
    events,
  ],
  "namespace-controller": [
    ["delete get list watch", "namespaces"],
    ["update", "namespaces/finalize namespaces/status"],
    ["delete deletecollection get list", "*:*"],
  ],
  "node-controller": [
    ["delete get list patch update", "nodes"],
    ["patch update", "nodes/status pods/status"],
    ["delete list get", "pods"],
    events,
  ],
  "persistent-volume-binder": [
    ["create delete get list update watch", "persistentvolumes"],
    ["update", "persistentvolumes/status persistentvolumeclaims/status"],
    ["get list update watch", "persistentvolumeclaims"],
    ["create delete get list watch", "pods"],
    [read, "storage.k8s.io:storageclasses nodes"],
    ["create delete get", "endpoints services"],
    ["get list", "secrets"],
    events,
  ],
  "pod-garbage-collector": [
    ["delete list watch", "pods"],
    ["get list", "nodes"],
    ["patch", "pods/status"],
  ],
  "pv-protection-controller": [["get list update watch", "persistentvolumes"], events],
  "pvc-protection-controller": [
    ["get list update watch", "persistentvolumeclaims"],
    [read, "pods"],
    events,
  ],
  "replicaset-controller": [
    ["get list update watch", "apps:replicasets"],
    ["update", "apps:replicasets/status apps:replicasets/finalizers"],
    ["create delete list patch watch", "pods"],
    events,
  ],
  "replication-controller": [
    ["get list update watch", "replicationcontrollers"],
    ["update", "replicationcontrollers/status replicationcontrollers/finalizers"],
    ["create delete list patch watch", "pods"],
    events,
  ],
  "resourcequota-controller": [["list watch", "*:*"], ["update", "resourcequotas/status"], events],
  "root-ca-cert-publisher": [["create update", "configmaps"], events],
  "route-controller": [["list watch", "nodes"], ["patch", "nodes/status"], events],
  "service-account-controller": [["create", "serviceaccounts"], events],
  "service-cidrs-controller": [
    ["get list patch update watch", "networking.k8s.io:servicecidrs"],
    ["patch update", "networking.k8s.io:servicecidrs/finalizers"],
    ["patch update", "networking.k8s.io:servicecidrs/status"],
    [read, "networking.k8s.io:ipaddresses"],
    events,
  ],
  "service-controller": [
    [read, "services"],
    ["patch update", "services/status"],
    ["list watch", "nodes"],
    events,
  ],
  "statefulset-controller": [
    ["list watch", "pods"],
    [read, "apps:statefulsets"],
    ["update", "apps:statefulsets/status apps:statefulsets/finalizers"],
    ["create delete get patch update", "pods"],
    ["create delete get list patch update watch", "apps:controllerrevisions"],
    ["create delete get list update watch", "persistentvolumeclaims"],
    events,
  ],
  "taint-eviction-controller": [
    ["delete get list", "pods"],
    ["get list", "nodes"],
    ["patch update", "pods/status"],
    events,
  ],
  "ttl-after-finished-controller": [["delete get list watch", "batch:jobs"], events],
  "ttl-controller": [["list patch update watch", "nodes"], events],
  "validatingadmissionpolicy-status-controller": [
    [read, "admissionregistration.k8s.io:validatingadmissionpolicies"],
    ["get patch update", "admissionregistration.k8s.io:validatingadmissionpolicies/status"],
    events,
  ],
};
