// What of a VMI's spec no QEMU of ours does, by field, so that nothing is silently left out. Pure. What
// depends on the node (hugepages, UEFI, TPM ...) is refused there when the VM starts.
import { forbiddenValue, invalidValue, supported } from "../kinds/field-checks.ts";
import type { FieldError } from "../lib/status-error.ts";
import { volumeKinds } from "./disk-of.ts";

/** Features are on when they are named, unless they say otherwise. */
export const isOn = (feature: { enabled?: boolean } | undefined) =>
  feature === undefined ? undefined : (feature.enabled ?? true);

const no = "this is not supported by VMs of Kerb";

/** Paths in spec.domain that mean something else than what would run. */
const forbidden = [
  "cpu.isolateEmulatorThread",
  "cpu.numa",
  "cpu.realtime",
  "launchSecurity",
  "devices.sound",
  "devices.downwardMetrics",
  "devices.panicDevices",
  "devices.video",
  "features.hyperv",
  "features.hypervPassthrough",
  "features.pvspinlock",
  "firmware.acpi",
];

const at = (object: any, path: string) =>
  path.split(".").reduce((value, name) => value?.[name], object);

const isSaid = (value: any) =>
  value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);

const models = ["virtio", "e1000", "e1000e", "rtl8139", "ne2k_pci", "pcnet"] as const;
const word = /^[A-Za-z0-9._-]+$/;

function ofInterfaces({ domain, networks = [] }: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const interfaces: any[] = domain.devices?.interfaces ?? [];
  let pods = 0;
  interfaces.forEach((one, i) => {
    const field = `${path}.domain.devices.interfaces[${i}]`;
    errors.push(...supported(`${field}.model`, one.model, models));
    if (one.sriov) errors.push(forbiddenValue(`${field}.sriov`, no));
    if (one.binding && one.binding.name !== "user") {
      errors.push(...supported(`${field}.binding.name`, one.binding.name, ["user"]));
    }
    const network = networks.find(({ name }: any) => name === one.name);
    if (!network) errors.push(invalidValue(`${field}.name`, one.name, "no such network"));
    else if (network.multus) errors.push(forbiddenValue(`${path}.networks.multus`, no));
    else pods += 1;
  });
  if (pods > 1) {
    const why = "more than one interface is connected to a pod network";
    errors.push(invalidValue(`${path}.networks`, pods, why));
  }
  return errors;
}

function ofVolumes({ volumes = [] }: any, path: string): FieldError[] {
  return volumes.flatMap((volume: any, i: number) => {
    const source = Object.keys(volume).find((key) => key !== "name");
    if (source && volumeKinds.includes(source)) return [];
    return [forbiddenValue(`${path}.volumes[${i}].${source ?? ""}`, no)];
  });
}

function ofCpu({ model, features = [] }: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (model !== undefined && !word.test(model)) {
    errors.push(invalidValue(`${path}.model`, model, "not the name of a CPU model"));
  }
  features.forEach(({ name }: any, i: number) => {
    if (!word.test(name ?? "")) {
      errors.push(invalidValue(`${path}.features[${i}].name`, name, "not the name of a feature"));
    }
  });
  return errors;
}

const machineTypes = /^(q35|pc-q35.*|pc|pc-i440fx.*|microvm)$/;

/** Of a VMI's spec, or a VM's template's; `path` is where it lies in the object. */
export function unsupported(spec: any, path = "spec"): FieldError[] {
  const { domain = {} } = spec;
  const errors = forbidden
    .filter((name) => isSaid(at(domain, name)))
    .map((name) => forbiddenValue(`${path}.domain.${name}`, no));
  const type: string | undefined = domain.machine?.type;
  if (type && !machineTypes.test(type)) {
    errors.push(...supported(`${path}.domain.machine.type`, type, ["q35", "pc", "microvm"]));
  }
  if (spec.architecture && spec.architecture !== "amd64") {
    errors.push(...supported(`${path}.architecture`, spec.architecture, ["amd64"]));
  }
  return [
    ...errors,
    ...ofCpu(domain.cpu ?? {}, `${path}.domain.cpu`),
    ...ofInterfaces({ ...spec, domain }, path),
    ...ofVolumes(spec, path),
  ];
}
