// What a VMI says after it was made, whatever its maker left open. Pure.

const present = (devices: any) =>
  devices.interfaces?.length || devices.autoattachPodInterface === false;

function withNetwork(spec: any) {
  if (present(spec.domain.devices) || spec.networks?.length) return;
  spec.domain.devices.interfaces = [{ name: "default", masquerade: {} }];
  spec.networks = [{ name: "default", pod: {} }];
}

function withDisks({ domain: { devices }, volumes = [] }: any) {
  const named = new Set(
    [...(devices.disks ?? []), ...(devices.filesystems ?? [])].map(({ name }) => name),
  );
  const bare = volumes.filter(({ name }: any) => !named.has(name));
  if (bare.length > 0)
    devices.disks = [
      ...(devices.disks ?? []),
      ...bare.map(({ name }: any) => ({ name, disk: {} })),
    ];
}

function withInput({ devices }: any) {
  if (!devices.autoattachInputDevice || devices.inputs?.length) return;
  devices.inputs = [{ name: "default-0", type: "tablet", bus: "usb" }];
}

function withMemory(domain: any) {
  const { requests = {}, limits = {} } = (domain.resources ??= {});
  const guest = domain.memory?.guest ?? requests.memory ?? limits.memory;
  if (guest === undefined) return;
  domain.memory = { ...domain.memory, guest };
  if (requests.memory === undefined && limits.memory === undefined) {
    domain.resources.requests = { ...requests, memory: guest };
  }
}

/** Adds the devices that a machine has without naming them. */
export function withOpenDevices(spec: any) {
  withInput(spec.domain);
  withNetwork(spec);
  withDisks(spec);
}

export function withDefaults(given: any) {
  const spec = structuredClone(given);
  const { domain } = spec;
  domain.devices ??= {};
  domain.machine = { type: "q35", ...domain.machine };
  spec.architecture ??= "amd64";
  domain.features = { acpi: { enabled: true }, ...domain.features };
  domain.cpu = { cores: 1, sockets: 1, threads: 1, model: "host-model", ...domain.cpu };
  for (const one of domain.devices.interfaces ?? []) one.model ??= "virtio";
  withMemory(domain);
  withOpenDevices(spec);
  return spec;
}
