// From Kerb's own description of sandboxes and containers to CRI's messages (runtime.v1). Pure.
import type { ContainerConfig, Resources, SandboxConfig } from "../node/runtime.ts";
import type { Message } from "../lib/grpc.ts";

/** CRI's label names, by which sandboxes are found again. */
export const labelNames = {
  podName: "io.kubernetes.pod.name",
  podNamespace: "io.kubernetes.pod.namespace",
  podUid: "io.kubernetes.pod.uid",
  container: "io.kubernetes.container.name",
} as const;

const namespaceModes = { pod: 0, container: 1, node: 2, target: 3 } as const;

const int64 = (value: unknown) => (value === undefined ? undefined : { value });
const defined = (message: Message): Message =>
  Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined));

/** A seccompProfile of the API as CRI's SecurityProfile. */
function seccomp(profile: any): Message | undefined {
  if (!profile) return { profile_type: "Unconfined" };
  if (profile.type === "Localhost") {
    const localhost_ref = `/var/lib/kubelet/seccomp/${profile.localhostProfile}`;
    return { profile_type: "Localhost", localhost_ref };
  }
  return { profile_type: profile.type };
}

/** An appArmorProfile of the API; without one the runtime has its own default. */
function appArmor(profile: any, privileged: boolean): Message | undefined {
  if (!profile || privileged) return undefined;
  const { type, localhostProfile } = profile;
  return {
    profile_type: type,
    ...(type === "Localhost" && { localhost_ref: localhostProfile }),
  };
}

const groupsPolicy = (context: Record<string, any>): Message =>
  context["supplementalGroupsPolicy"]
    ? { supplemental_groups_policy: context["supplementalGroupsPolicy"] }
    : {};

const mappings = ({ userNamespace: range }: SandboxConfig) =>
  range ? [{ host_id: range.hostId, container_id: 0, length: range.length }] : [];

function namespaceOptions(sandbox: SandboxConfig): Message {
  const { hostNetwork, hostPid, hostIpc, shareProcessNamespace } = sandbox;
  const { pod, container, node } = namespaceModes;
  return {
    network: hostNetwork ? node : pod,
    pid: hostPid ? node : shareProcessNamespace ? pod : container,
    ipc: hostIpc ? node : pod,
    ...(sandbox.userNamespace && {
      userns_options: {
        mode: pod,
        uids: mappings(sandbox),
        gids: mappings(sandbox),
      },
    }),
  };
}

const user = (context: Record<string, any>) =>
  defined({ run_as_user: int64(context["runAsUser"]), run_as_group: int64(context["runAsGroup"]) });

/** Supplemental groups of a pod: those named, and the group of its volumes. */
const groups = (context: Record<string, any>) => [
  ...(context["supplementalGroups"] ?? []),
  ...(context["fsGroup"] === undefined ? [] : [context["fsGroup"]]),
];

export function sandboxMessage(config: SandboxConfig): Message {
  const { podUid, namespace, name, attempt, securityContext } = config;
  return {
    metadata: { name, uid: podUid, namespace, attempt },
    ...(!config.hostNetwork && { hostname: config.hostname }),
    log_directory: config.logDirectory,
    dns_config: {
      servers: config.dns.servers,
      searches: config.dns.searches,
      options: config.dns.options,
    },
    labels: {
      ...config.labels,
      [labelNames.podName]: name,
      [labelNames.podNamespace]: namespace,
      [labelNames.podUid]: podUid,
    },
    annotations: config.annotations,
    linux: {
      cgroup_parent: config.cgroupParent,
      sysctls: config.sysctls,
      security_context: {
        namespace_options: namespaceOptions(config),
        privileged: securityContext["privileged"] === true,
        supplemental_groups: groups(securityContext),
        ...user(securityContext),
        seccomp: seccomp(securityContext["seccompProfile"]),
        ...groupsPolicy(securityContext),
      },
    },
  };
}

const propagation = { None: 0, HostToContainer: 1, Bidirectional: 2 } as const;

/** Paths that containers are kept from unless they ask for them (DefaultProcMount upstream). */
const maskedPaths = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

function containerSecurity(config: ContainerConfig, sandbox: SandboxConfig): Message {
  const context = config.securityContext;
  const privileged = context["privileged"] === true;
  const unmasked = privileged || context["procMount"] === "Unmasked";
  return defined({
    namespace_options: {
      ...namespaceOptions(sandbox),
      ...(config.targetId && { pid: namespaceModes.target, target_id: config.targetId }),
    },
    privileged,
    capabilities: {
      add_capabilities: context["capabilities"]?.add ?? [],
      drop_capabilities: context["capabilities"]?.drop ?? [],
    },
    readonly_rootfs: context["readOnlyRootFilesystem"] === true,
    no_new_privs: context["allowPrivilegeEscalation"] === false,
    supplemental_groups: groups(sandbox.securityContext),
    ...groupsPolicy(sandbox.securityContext),
    apparmor: appArmor(context["appArmorProfile"], privileged),
    seccomp: privileged ? { profile_type: "Unconfined" } : seccomp(context["seccompProfile"]),
    masked_paths: unmasked ? [] : maskedPaths,
    readonly_paths: unmasked ? [] : readonlyPaths,
    ...user(context),
    ...(context["runAsUserName"] !== undefined && { run_as_username: context["runAsUserName"] }),
  });
}

export const linuxResources = (resources: Resources): Message =>
  defined({
    cpu_shares: resources.cpuShares,
    cpu_quota: resources.cpuQuota,
    cpu_period: resources.cpuPeriod,
    memory_limit_in_bytes: resources.memoryBytes,
    oom_score_adj: resources.oomScoreAdj,
    cpuset_cpus: resources.cpusetCpus,
    hugepage_limits: resources.hugepageLimits?.map(({ pageSize, limit }) => ({
      page_size: pageSize,
      limit,
    })),
  });

/** As the kubelet has it: who is out of memory ends as a whole, and leaves no half of a container behind. */
const endsAsOne = { unified: { "memory.oom.group": "1" } };

/** `canEndAsOne`: the machine's cgroups are of version 2, and count memory. */
export function containerMessage(
  config: ContainerConfig,
  sandbox: SandboxConfig,
  { canEndAsOne = false } = {},
): Message {
  return {
    metadata: { name: config.name, attempt: config.attempt },
    image: { image: config.image },
    command: config.command,
    args: config.args,
    working_dir: config.workingDir,
    envs: config.env.map(({ name, value }) => ({ key: name, value: Buffer.from(value) })),
    mounts: config.mounts.map((mount) => ({
      container_path: mount.containerPath,
      host_path: mount.hostPath,
      readonly: mount.readOnly,
      ...(mount.recursiveReadOnly && { recursive_read_only: true }),
      propagation: propagation[mount.propagation],
      // So that files belong to the same users within as they do without.
      uidMappings: mappings(sandbox),
      gidMappings: mappings(sandbox),
    })),
    devices: config.devices.map((device) => ({
      container_path: device.containerPath,
      host_path: device.hostPath,
      permissions: device.permissions,
    })),
    labels: {
      ...config.labels,
      [labelNames.container]: config.name,
      [labelNames.podName]: sandbox.name,
      [labelNames.podNamespace]: sandbox.namespace,
      [labelNames.podUid]: sandbox.podUid,
    },
    annotations: {
      ...config.annotations,
      "kerb.dev/image": config.imageRef,
      // A runtime that has a user of its own must know whether the pod chose one.
      ...(config.securityContext["runAsUser"] !== undefined && { "kerb.dev/run-as-user": "true" }),
      // And one that has walls of its own what the pod asks of them.
      ...(sandbox.handler !== "" && {
        "kerb.dev/security-context": JSON.stringify(config.securityContext),
      }),
    },
    log_path: config.logPath,
    stdin: config.stdin,
    stdin_once: config.stdinOnce,
    tty: config.tty,
    linux: {
      resources: { ...linuxResources(config.resources), ...(canEndAsOne && endsAsOne) },
      security_context: containerSecurity(config, sandbox),
    },
  };
}
