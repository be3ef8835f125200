// What a guest's agent says, as KubeVirt's API says it. Pure; anything may be missing, and texts have a limit.

const textLengthMax = 256;
const listLengthMax = 128;

const text = (value: unknown) => String(value ?? "").slice(0, textLengthMax);
const list = (value: unknown): any[] => (Array.isArray(value) ? value.slice(0, listLengthMax) : []);
const number = (value: unknown) => (Number.isFinite(Number(value)) ? Number(value) : 0);

export function guestOsInfo(os: any) {
  return {
    name: text(os?.name),
    kernelRelease: text(os?.["kernel-release"]),
    version: text(os?.version),
    prettyName: text(os?.["pretty-name"]),
    versionId: text(os?.["version-id"]),
    kernelVersion: text(os?.["kernel-version"]),
    machine: text(os?.machine),
    id: text(os?.id),
  };
}

export interface GuestInterface {
  interfaceName: string;
  mac: string;
  addresses: string[];
}

export function guestInterfaces(answer: any): GuestInterface[] {
  return list(answer)
    .filter((one) => one?.name !== "lo")
    .map((one) => ({
      interfaceName: text(one?.name),
      mac: text(one?.["hardware-address"]).toLowerCase(),
      addresses: list(one?.["ip-addresses"])
        .map((address) => text(address?.["ip-address"]))
        .filter((address) => address && !address.startsWith("fe80")),
    }));
}

export function guestFilesystems(answer: any) {
  return list(answer).map((one) => ({
    diskName: text(one?.name),
    mountPoint: text(one?.mountpoint),
    fileSystemType: text(one?.type),
    usedBytes: number(one?.["used-bytes"]),
    totalBytes: number(one?.["total-bytes"]),
  }));
}

export function guestUsers(answer: any) {
  return list(answer).map((one) => ({
    userName: text(one?.user),
    ...(one?.domain && { domain: text(one.domain) }),
    loginTime: number(one?.["login-time"]),
  }));
}

export interface GuestAnswers {
  info?: any;
  os?: any;
  hostname?: any;
  timezone?: any;
  users?: any;
  filesystems?: any;
}

/** v1 VirtualMachineInstanceGuestAgentInfo. */
export function guestAgentInfo({ info, os, hostname, timezone, ...lists }: GuestAnswers) {
  const commands = list(info?.["supported_commands"]).map((one) => ({
    name: text(one?.name),
    enabled: one?.enabled === true,
  }));
  return {
    guestAgentVersion: text(info?.version),
    supportedCommands: commands,
    hostname: text(hostname?.["host-name"]),
    os: guestOsInfo(os),
    timezone: timezone ? `${text(timezone.zone)}, ${number(timezone.offset)}` : "",
    userList: guestUsers(lists.users),
    fsInfo: { disks: guestFilesystems(lists.filesystems) },
  };
}
