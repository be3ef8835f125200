// What a launcher pod asks for: what people ask for, and on top of the guest's memory what QEMU needs. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import { overheadBytes } from "../domain-of.ts";
import type { Domain } from "../domain.ts";
import { deviceClaims, deviceLimits } from "../host-devices.ts";

const cpuRequestMillis = 100;
/** Of the request, where a quota wants a limit and nobody said one. */
const memoryLimitRatio = 2;

const mebibyte = 2 ** 20;
const inMebibytes = (bytes: number) => `${Math.ceil(bytes / mebibyte)}Mi`;

/** Limits that quotas of the namespace count, so that a pod without them is refused. */
export interface LimitBounds {
  memory?: boolean;
  cpu?: boolean;
}

export const boundsOf = (quotas: KubeObject[]): LimitBounds => ({
  memory: quotas.some(({ spec }) => spec?.hard?.["limits.memory"] !== undefined),
  cpu: quotas.some(({ spec }) => spec?.hard?.["limits.cpu"] !== undefined),
});

const vcpus = ({ cpu: { sockets, cores, threads } }: Domain) => sockets * cores * threads;

function memoryOf(spec: any, domain: Domain, bounds: LimitBounds) {
  const { requests = {}, limits = {}, overcommitGuestOverhead } = spec.domain.resources ?? {};
  const overhead = overheadBytes(domain);
  if (domain.hugePageBytes) {
    const pages = `hugepages-${domain.hugePageBytes === 2 ** 30 ? "1Gi" : "2Mi"}`;
    const all = { [pages]: inMebibytes(domain.memoryBytes), memory: inMebibytes(overhead) };
    return { requests: all, limits: all };
  }
  const guest = parseQuantity(requests.memory ?? domain.memoryBytes);
  const asked = guest + (overcommitGuestOverhead ? 0 : overhead);
  const said = limits.memory && parseQuantity(limits.memory) + overhead;
  const limit = domain.dedicatedCpus
    ? Math.max(asked, said ?? 0)
    : (said ??
      (bounds.memory && Math.max(asked, domain.memoryBytes + overhead) * memoryLimitRatio));
  return {
    requests: { memory: inMebibytes(domain.dedicatedCpus ? limit : asked) },
    limits: limit ? { memory: inMebibytes(limit) } : {},
  };
}

function cpuOf(spec: any, domain: Domain, bounds: LimitBounds) {
  const { requests = {}, limits = {} } = spec.domain.resources ?? {};
  const all = String(vcpus(domain));
  if (domain.dedicatedCpus) return { requests: { cpu: all }, limits: { cpu: all } };
  const cpu = requests.cpu ?? limits.cpu ?? `${vcpus(domain) * cpuRequestMillis}m`;
  const limit = limits.cpu ?? (bounds.cpu && all);
  return { requests: { cpu }, limits: limit ? { cpu: limit } : {} };
}

export function computeResources(spec: any, domain: Domain, bounds: LimitBounds) {
  const { requests = {}, limits = {} } = spec.domain.resources ?? {};
  const [cpu, memory] = [cpuOf(spec, domain, bounds), memoryOf(spec, domain, bounds)];
  const devices = deviceLimits(domain.hostDevices ?? []);
  const claims = deviceClaims(domain.hostDevices ?? []);
  const allLimits = { ...limits, ...cpu.limits, ...memory.limits, ...devices };
  return {
    requests: { ...requests, ...cpu.requests, ...memory.requests },
    ...(Object.keys(allLimits).length > 0 && { limits: allLimits }),
    ...(claims.length > 0 && { claims }),
  };
}
