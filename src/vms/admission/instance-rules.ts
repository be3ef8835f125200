// What a VMI's spec must be, beyond its schema; the same for a VM's template. Pure.
import {
  duplicate,
  forbiddenValue,
  invalidValue,
  required,
  supported,
} from "../../kinds/field-checks.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { deviceErrors } from "../host-devices.ts";
import { isSecure } from "../domain-of.ts";
import { unsupported } from "../unsupported.ts";
import { ofCredentials } from "./credential-rules.ts";
import { ofShape } from "./shape-rules.ts";
import { wordErrors } from "./word-rules.ts";

/** Longest cloud-init data in the object itself; more goes into a Secret. */
const cloudInitBytesMax = 2048;
const evictionStrategies = ["None", "LiveMigrate", "LiveMigrateIfPossible", "External"];
const bindings = [
  "masquerade",
  "bridge",
  "sriov",
  "slirp",
  "macvtap",
  "passt",
  "passtBinding",
  "binding",
];

const twice = <T>(
  list: T[],
  valueOf: (one: T) => unknown,
  field: (i: number) => string,
): FieldError[] => {
  const seen = new Set<unknown>();
  return list.flatMap((one, i) => {
    const value = valueOf(one);
    if (value === undefined) return [];
    if (seen.has(value)) return [duplicate(field(i), value)];
    seen.add(value);
    return [];
  });
};

function ofDisks({ domain, volumes = [] }: any, path: string): FieldError[] {
  const { disks = [], filesystems = [], interfaces = [] } = domain.devices ?? {};
  const at = `${path}.domain.devices`;
  const named = new Set(volumes.map(({ name }: any) => name));
  const lost = (list: any[], what: string) =>
    list.flatMap(({ name }, i) =>
      named.has(name)
        ? []
        : [
            invalidValue(
              `${at}.${what}[${i}].name`,
              name,
              `'${at}.${what}[${i}].Name' '${name}' not found.`,
            ),
          ],
    );
  const targets = disks.flatMap((disk: any, i: number) => {
    const kinds = ["disk", "cdrom", "lun"].filter((kind) => disk[kind]);
    if (kinds.length < 2) return [];
    return [
      invalidValue(`${at}.disks[${i}]`, disk.name, "should have only one of disk, cdrom, lun"),
    ];
  });
  const booted = [...disks, ...interfaces];
  const below = booted.flatMap(({ bootOrder, name }: any) =>
    bootOrder !== undefined && bootOrder < 1
      ? [invalidValue(`${at}.bootOrder`, bootOrder, `of ${name}: must be greater than 0`)]
      : [],
  );
  return [
    ...twice(
      disks,
      (one: any) => one.name,
      (i) => `${at}.disks[${i}].name`,
    ),
    ...twice(
      booted,
      (one: any) => one.bootOrder,
      () => `${at}.bootOrder`,
    ),
    ...lost(disks, "disks"),
    ...lost(filesystems, "filesystems"),
    ...targets,
    ...below,
  ];
}

function ofCloudInit(source: any, field: string): FieldError[] {
  const {
    userData,
    userDataBase64,
    secretRef,
    networkData,
    networkDataBase64,
    networkDataSecretRef,
  } = source;
  const user = [userData, userDataBase64, secretRef].filter(Boolean);
  const network = [networkData, networkDataBase64, networkDataSecretRef].filter(Boolean);
  const errors: FieldError[] = [];
  if (user.length + network.length === 0) {
    errors.push(
      required(field, "must have at least one userdatasource or one networkdatasource set."),
    );
  }
  if (user.length > 1)
    errors.push(invalidValue(field, user.length, "must have only one userdatasource set."));
  if (network.length > 1)
    errors.push(invalidValue(field, network.length, "must have only one networkdata source set."));
  for (const [name, value] of Object.entries({
    userData,
    userDataBase64,
    networkData,
    networkDataBase64,
  })) {
    if (typeof value !== "string") continue;
    const encoded = name.endsWith("64");
    const bytes = Buffer.byteLength(value, encoded ? "base64" : "utf8");
    if (bytes > cloudInitBytesMax) {
      errors.push(
        invalidValue(
          `${field}.${name}`,
          bytes,
          `exceeds ${cloudInitBytesMax} byte limit. Should use UserDataSecretRef for larger data.`,
        ),
      );
    }
    if (encoded && !/^[A-Za-z0-9+/]*={0,2}$/.test(value.replace(/\s/g, ""))) {
      errors.push(invalidValue(`${field}.${name}`, "", "is not a valid base64 value."));
    }
  }
  return errors;
}

type VolumeRule = (source: any, field: string) => FieldError[];

const isSize = (value: unknown) => {
  try {
    return parseQuantity(value as string) > 0;
  } catch {
    return false;
  }
};

const volumeRules: Record<string, VolumeRule> = {
  containerDisk: ({ image, path }, field) => [
    ...(image ? [] : [required(`${field}.image`)]),
    ...(path && !path.startsWith("/")
      ? [invalidValue(`${field}.path`, path, "must be an absolute path")]
      : []),
    ...(path?.split("/").includes("..")
      ? [invalidValue(`${field}.path`, path, "must not contain ..")]
      : []),
  ],
  cloudInitNoCloud: ofCloudInit,
  cloudInitConfigDrive: ofCloudInit,
  emptyDisk: ({ capacity }, field) =>
    isSize(capacity) ? [] : [invalidValue(`${field}.capacity`, capacity, "must be greater than 0")],
  hostDisk: ({ path, type, capacity }, field) => [
    ...(path?.startsWith("/") && !path.split("/").includes("..")
      ? []
      : [invalidValue(`${field}.path`, path, "must be an absolute path without ..")]),
    ...supported(`${field}.type`, type, ["Disk", "DiskOrCreate"]),
    ...(capacity && type === "Disk"
      ? [
          invalidValue(
            `${field}.capacity`,
            capacity,
            "capacity is allowed only with DiskOrCreate type",
          ),
        ]
      : []),
  ],
};

export interface RuleContext {
  /** Resources whose devices guests may have. */
  permittedDevices?: Set<string>;
  /** Feature gates of the KubeVirt object. */
  gates: Set<string>;
}

/** KubeVirt's words, and what to do. */
const gateIsOff = (gate: string) =>
  `${gate} feature gate is not enabled; add it to ` +
  "spec.configuration.developerConfiguration.featureGates of the KubeVirt kubevirt/kubevirt";

function ofVolumes({ volumes = [] }: any, path: string, { gates }: RuleContext): FieldError[] {
  const at = (i: number) => `${path}.volumes[${i}]`;
  const each = volumes.flatMap((volume: any, i: number) => {
    const sources = Object.keys(volume).filter((key) => key !== "name" && volume[key]);
    if (sources.length !== 1) {
      return [invalidValue(at(i), volume.name, "must have exactly one source type set.")];
    }
    const [kind] = sources as [string];
    const field = `${at(i)}.${kind}`;
    if (kind === "hostDisk" && !gates.has("HostDisk")) {
      return [forbiddenValue(field, gateIsOff("HostDisk"))];
    }
    return volumeRules[kind]?.(volume[kind], field) ?? [];
  });
  return [
    ...twice(
      volumes,
      (one: any) => one.name,
      (i) => `${at(i)}.name`,
    ),
    ...each,
  ];
}

const mac = /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i;

function ofInterface(one: any, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const bound = bindings.filter((name) => one[name]);
  if (bound.length > 1)
    errors.push(invalidValue(field, one.name, "interface must have only one binding"));
  if (one.macAddress && !mac.test(one.macAddress)) {
    errors.push(
      invalidValue(`${field}.macAddress`, one.macAddress, "interface has malformed MAC address"),
    );
  } else if (one.macAddress && parseInt(one.macAddress.slice(0, 2), 16) & 1) {
    errors.push(
      invalidValue(`${field}.macAddress`, one.macAddress, "must not be a multicast address"),
    );
  }
  const ports: any[] = one.ports ?? [];
  ports.forEach(({ port, protocol }, i) => {
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      errors.push(
        invalidValue(`${field}.ports[${i}].port`, port, "must be between 1 and 65535, inclusive"),
      );
    }
    errors.push(...supported(`${field}.ports[${i}].protocol`, protocol, ["TCP", "UDP"]));
  });
  return [
    ...errors,
    ...twice(
      ports,
      ({ name }) => name || undefined,
      (i) => `${field}.ports[${i}].name`,
    ),
  ];
}

function ofNetworks({ domain, networks = [] }: any, path: string): FieldError[] {
  const interfaces: any[] = domain.devices?.interfaces ?? [];
  const at = `${path}.domain.devices.interfaces`;
  const named = new Set(interfaces.map(({ name }) => name));
  const unused = networks.flatMap(({ name }: any, i: number) =>
    named.has(name)
      ? []
      : [
          required(
            `${path}.networks[${i}].name`,
            `networks[${i}] '${name}' not found in interfaces`,
          ),
        ],
  );
  return [
    ...twice(
      interfaces,
      ({ name }) => name,
      (i) => `${at}[${i}].name`,
    ),
    ...twice(
      networks,
      (one: any) => one.name,
      (i) => `${path}.networks[${i}].name`,
    ),
    ...(interfaces.length > 0 ? unused : []),
    ...interfaces.flatMap((one, i) => ofInterface(one, `${at}[${i}]`)),
  ];
}

function ofMemory({ domain }: any, path: string): FieldError[] {
  const { requests = {}, limits = {} } = domain.resources ?? {};
  const guest = domain.memory?.guest;
  const errors: FieldError[] = [];
  const said = {
    [`${path}.domain.memory.guest`]: guest,
    [`${path}.domain.resources.requests.memory`]: requests.memory,
  };
  for (const [field, value] of Object.entries(said)) {
    if (value !== undefined && !isSize(value))
      errors.push(invalidValue(field, value, "must be greater than 0"));
  }
  if (errors.length > 0 || limits.memory === undefined) return errors;
  const limit = parseQuantity(limits.memory);
  for (const [field, value] of Object.entries(said)) {
    if (value !== undefined && parseQuantity(value) > limit) {
      errors.push(
        invalidValue(
          field,
          value,
          `must be equal to or less than the memory limit ${limits.memory}`,
        ),
      );
    }
  }
  return errors;
}

const probeHandlers = ["httpGet", "tcpSocket", "exec", "guestAgentPing"];

function ofProbes(spec: any, path: string): FieldError[] {
  return ["readinessProbe", "livenessProbe"].flatMap((name) => {
    const probe = spec[name];
    if (!probe) return [];
    const given = probeHandlers.filter((kind) => probe[kind]);
    if (given.length !== 1) {
      const why = `spec.${name} must have exactly one probe type set`;
      return [invalidValue(`${path}.${name}`, given.length, why)];
    }
    const command = probe.exec && !probe.exec.command?.length;
    return command ? [required(`${path}.${name}.exec.command`)] : [];
  });
}

function ofHugePages({ domain }: any, path: string): FieldError[] {
  const size = domain.memory?.hugepages?.pageSize;
  const field = `${path}.domain.memory.hugepages`;
  if (!domain.memory?.hugepages) return [];
  if (size === undefined) return [required(`${field}.pageSize`)];
  if (size !== "2Mi" && size !== "1Gi") return supported(`${field}.pageSize`, size, ["2Mi", "1Gi"]);
  const guest = domain.memory.guest ?? domain.resources?.requests?.memory;
  if (!guest) return [required(`${path}.domain.memory.guest`, "must be said with hugepages")];
  if (parseQuantity(guest) % parseQuantity(size) === 0) return [];
  return [invalidValue(`${field}.pageSize`, size, `${guest} is no multiple of it`)];
}

function ofKernel({ domain }: any, path: string): FieldError[] {
  const container = domain.firmware?.kernelBoot?.container;
  const at = `${path}.domain.firmware.kernelBoot.container`;
  if (!container && domain.firmware?.kernelBoot?.kernelArgs) {
    const why = "there is no kernel to be given them";
    return [invalidValue(`${path}.domain.firmware.kernelBoot.kernelArgs`, "", why)];
  }
  if (!container) return [];
  const errors = container.image ? [] : [required(`${at}.image`)];
  if (domain.firmware.bootloader?.efi && isSecure(domain)) {
    const why = "must be false: kernelBoot starts a kernel without looking at its signature";
    errors.push(invalidValue(`${path}.domain.firmware.bootloader.efi.secureBoot`, true, why));
  }
  if (!container.kernelPath && !container.initrdPath) {
    errors.push(required(`${at}.kernelPath`, "must be provided, or initrdPath"));
  }
  return errors;
}

/** `path` is where the spec lies in the object. */
export function instanceErrors(spec: any, path: string, context: RuleContext): FieldError[] {
  const grace = spec.terminationGracePeriodSeconds;
  return [
    ...ofDisks(spec, path),
    ...ofVolumes(spec, path, context),
    ...ofNetworks(spec, path),
    ...ofMemory(spec, path),
    ...ofProbes(spec, path),
    ...ofKernel(spec, path),
    ...ofHugePages(spec, path),
    ...ofCredentials(spec, path),
    ...deviceErrors(spec, path, context.permittedDevices ?? new Set()),
    ...supported(`${path}.evictionStrategy`, spec.evictionStrategy, evictionStrategies),
    ...supported(`${path}.startStrategy`, spec.startStrategy, ["Paused"]),
    ...(grace !== undefined && grace < 0
      ? [invalidValue(`${path}.terminationGracePeriodSeconds`, grace, "must be 0 or more")]
      : []),
    ...ofShape(spec, path),
    ...wordErrors(spec, path),
    ...unsupported(spec, path),
  ];
}
