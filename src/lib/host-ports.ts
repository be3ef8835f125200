// Ports of the node that a pod takes, and whether another's are in the way. The scheduler and the node ask alike.

export interface HostPort {
  /** `TCP/8080`. */
  key: string;
  ip: string;
}

export const anyAddress = "0.0.0.0";

interface PortSpec {
  hostNetwork?: boolean;
  containers?: any[];
  initContainers?: any[];
}

/** A restartable init container's ports count; an ordinary one's do not. */
export function hostPorts(spec: PortSpec): HostPort[] {
  const ports: HostPort[] = [];
  const sidecars = spec.initContainers?.filter((c: any) => c.restartPolicy === "Always") ?? [];
  for (const container of [...(spec.containers ?? []), ...sidecars]) {
    for (const port of container.ports ?? []) {
      const number = port.hostPort || (spec.hostNetwork ? port.containerPort : 0);
      if (!number) continue;
      ports.push({ key: `${port.protocol ?? "TCP"}/${number}`, ip: port.hostIP || anyAddress });
    }
  }
  return ports;
}

export const portsConflict = (a: HostPort, b: HostPort) =>
  a.key === b.key && (a.ip === b.ip || a.ip === anyAddress || b.ip === anyAddress);
