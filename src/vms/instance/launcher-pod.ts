// The pod that a VMI is. Pure.
import { controllerReference } from "../../controllers/pod-template.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { domainOf } from "../domain-of.ts";
import {
  agentProbe,
  computeContainer,
  domainAnnotation,
  launcherImage,
  qemuUser,
  runtimeClass,
} from "../domain.ts";
import type { Domain } from "../domain.ts";
import type { DomainContext } from "../domain-of.ts";
import { stateClaimName } from "../state-claim.ts";
import { launcherSidecars, stateVolumes } from "./launcher-sidecars.ts";
import { claimNames } from "../machine/data-volumes.ts";
import { replicationGate } from "../replication/record.ts";
import { isHotplugged, launcherVolumes } from "./launcher-volumes.ts";
import type { PodVolumes, VolumeContext } from "./launcher-volumes.ts";
import { computeResources } from "./launcher-resources.ts";
import type { LimitBounds } from "./launcher-resources.ts";

export const schedulableLabel = "kubevirt.io/schedulable";
const createdBy = "kubevirt.io/created-by";
/** Readiness gate: whether the guest is not paused. */
export const unpaused = "kubevirt.io/virtual-machine-unpaused";
/** The pod outlives the guest's own time to power down by this. */
const graceMarginSeconds = 5;
const passedOn = [
  "affinity",
  "tolerations",
  "topologySpreadConstraints",
  "priorityClassName",
  "schedulerName",
  "dnsPolicy",
  "dnsConfig",
  "hostname",
  "subdomain",
  "resourceClaims",
];

interface Around {
  volumes: PodVolumes;
  bounds: LimitBounds | undefined;
}

/** Probes of the guest's ports are probes of the pod's; those of its agent are answered by the node. */
function probeOf({ guestAgentPing, exec, ...probe }: any) {
  const command = exec ? [agentProbe, ...(exec.command ?? [])] : [agentProbe];
  return guestAgentPing || exec ? { ...probe, exec: { command } } : probe;
}

function probesOf({ readinessProbe, livenessProbe }: any) {
  return {
    ...(readinessProbe && { readinessProbe: probeOf(readinessProbe) }),
    ...(livenessProbe && { livenessProbe: probeOf(livenessProbe) }),
  };
}

function computeOf(
  vmi: KubeObject,
  domain: Domain,
  { volumes: { volumeMounts, volumeDevices }, bounds = {} }: Around,
) {
  return {
    ...{ name: computeContainer, image: launcherImage, imagePullPolicy: "Never" },
    resources: computeResources(vmi.spec, domain, bounds),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      runAsNonRoot: true,
    },
    volumeMounts,
    ...(volumeDevices.length > 0 && { volumeDevices }),
    ...probesOf(vmi.spec),
  };
}

const ownAnnotations = (annotations: Record<string, string> = {}) =>
  Object.fromEntries(
    Object.entries(annotations).filter(
      ([key]) => !key.startsWith("kubectl.kubernetes.io/") && !key.startsWith("vms.kerb.dev/"),
    ),
  );

export interface LauncherOptions extends VolumeContext, DomainContext {
  /** What the namespace's quotas want said. */
  bounds?: LimitBounds;
  /** Of a live migration's target. */
  migration?: {
    uid: string;
    avoidNode: string;
    address?: string;
    nodeSelector?: Record<string, string>;
  };
}

function affinityOf(spec: any, migration: LauncherOptions["migration"]) {
  if (!migration) return spec.affinity && { affinity: spec.affinity };
  const { affinity } = spec;
  const elsewhere = {
    matchFields: [{ key: "metadata.name", operator: "NotIn", values: [migration.avoidNode] }],
  };
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    ?.nodeSelectorTerms ?? [{}];
  const nodeSelectorTerms = required.map((term: any) => ({
    ...term,
    matchFields: [...(term.matchFields ?? []), ...elsewhere.matchFields],
  }));
  return {
    affinity: {
      ...affinity,
      nodeAffinity: {
        ...affinity?.nodeAffinity,
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
      },
    },
  };
}

/** A pod with a replicated volume waits for its turn. */
function gatesOf(spec: any, { isReplicated }: LauncherOptions) {
  const waits = claimNames(spec).some((name) => isReplicated?.(name));
  return waits && { schedulingGates: [{ name: replicationGate }] };
}

/** Volumes that are plugged in are the node's affair once the VM runs. */
const withoutHotplugged = (vmi: KubeObject): KubeObject => {
  const volumes: any[] = vmi.spec.volumes ?? [];
  const plugged = new Set(volumes.filter(isHotplugged).map(({ name }) => name));
  if (plugged.size === 0) return vmi;
  const kept = (list: any[] = []) => list.filter(({ name }) => !plugged.has(name));
  const { domain } = vmi.spec;
  const devices = { ...domain.devices, disks: kept(domain.devices?.disks) };
  return { ...vmi, spec: { ...vmi.spec, volumes: kept(volumes), domain: { ...domain, devices } } };
};

export function launcherPod(from: KubeObject, options: LauncherOptions): Draft {
  const { migration } = options;
  const vmi = withoutHotplugged(from);
  const { spec, metadata } = vmi;
  const { address } = migration ?? {};
  const domain = domainOf(vmi, {
    ...options,
    ...(migration && { incoming: true }),
    ...(address && { address }),
  });
  const volumes = launcherVolumes(spec, options);
  const state = stateVolumes(domain, stateClaimName(vmi));
  volumes.volumeMounts.push(...state.volumeMounts);
  const beside = launcherSidecars(domain, volumes.shares);
  const passed = passedOn.filter((name) => spec[name] !== undefined);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: metadata.namespace!,
      generateName: `virt-launcher-${metadata.name}-`,
      labels: {
        ...metadata.labels,
        "kubevirt.io": "virt-launcher",
        [createdBy]: metadata.uid,
        "vm.kubevirt.io/name": metadata.name,
        ...(migration && { "kubevirt.io/migrationJobUID": migration.uid }),
      },
      annotations: {
        ...ownAnnotations(metadata.annotations),
        "kubevirt.io/domain": metadata.name,
        "kubectl.kubernetes.io/default-container": computeContainer,
        "kubevirt.io/migrationTransportUnix": "true",
        // To a descheduler: asking is enough, the guest moves or stays by itself.
        "descheduler.alpha.kubernetes.io/request-evict-only": "",
        [domainAnnotation]: JSON.stringify(domain),
      },
      ownerReferences: [controllerReference(vmi)],
    },
    spec: {
      ...Object.fromEntries(passed.map((name) => [name, spec[name]])),
      ...affinityOf(spec, migration),
      runtimeClassName: runtimeClass.name,
      restartPolicy: "Never",
      ...gatesOf(spec, options),
      readinessGates: [{ conditionType: unpaused }],
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...serviceAccountOf(spec),
      nodeSelector: {
        ...spec.nodeSelector,
        ...migration?.nodeSelector,
        [schedulableLabel]: "true",
        ...(domain.dedicatedCpus && { cpumanager: "true" }),
      },
      securityContext: {
        ...{ runAsUser: qemuUser, runAsGroup: qemuUser, runAsNonRoot: true, fsGroup: qemuUser },
        seccompProfile: { type: "RuntimeDefault" },
      },
      terminationGracePeriodSeconds: domain.graceSeconds + graceMarginSeconds,
      ...(beside.length > 0 && { initContainers: beside }),
      containers: [computeOf(vmi, domain, { volumes, bounds: options.bounds })],
      volumes: [...volumes.volumes, ...state.volumes],
      ...(volumes.imagePullSecrets.length > 0 && { imagePullSecrets: volumes.imagePullSecrets }),
    },
  };
}

function serviceAccountOf({ volumes = [], serviceAccountName }: any) {
  const volume = volumes.find((one: any) => one.serviceAccount);
  const name = volume?.serviceAccount.serviceAccountName ?? serviceAccountName;
  return name && { serviceAccountName: name };
}
