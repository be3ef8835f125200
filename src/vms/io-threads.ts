// Which thread of QEMU serves a disk, as KubeVirt deals them out: a disk that asks for a thread of its own has one,
// the others share as many as the policy allows. Disks that are not virtio stay with QEMU's main thread. Pure.

/** Threads for each virtual CPU, where the policy is `auto`. */
const autoThreadsPerCpu = 2;

/** The thread of each disk, by its name. */
export function ioThreadsOf(domain: any, cpus: number): Map<string, string> {
  const policy: string | undefined = domain.ioThreadsPolicy;
  const disks: any[] = (domain.devices?.disks ?? []).filter(
    (one: any) => one.disk?.bus === "virtio",
  );
  const own = disks.filter((one) => one.dedicatedIOThread);
  if (!policy && own.length === 0) return new Map();
  const limit = policy === "auto" ? Math.max(1, cpus * autoThreadsPerCpu - own.length) : 1;
  const others = disks.filter((one) => !one.dedicatedIOThread);
  return new Map([
    ...own.map(({ name }, i) => [name, `io-own${i}`] as const),
    ...others.map(({ name }, i) => [name, `io${i % limit}`] as const),
  ]);
}
