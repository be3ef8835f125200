// Addresses and networks: `ip("10.0.0.1")`, `cidr("10.0.0.0/8")` and what they tell of themselves.
import type { Environment } from "@marcbachmann/cel-js";
import { isIPv4, isIPv6 } from "node:net";

class Ip {
  readonly value: bigint;
  readonly bits: number;
  readonly text: string;

  constructor(text: string) {
    this.bits = isIPv4(text) ? 32 : 128;
    this.value = numberOf(text);
    this.text = printed(this.value, this.bits);
  }
}

class Cidr {
  readonly ip: Ip;
  readonly length: number;

  constructor(text: string) {
    const [address = "", length = ""] = text.split("/");
    this.ip = new Ip(address);
    this.length = Number(length);
  }

  get mask() {
    const { bits } = this.ip;
    return ((1n << BigInt(this.length)) - 1n) << BigInt(bits - this.length);
  }

  holds(ip: Ip) {
    return ip.bits === this.ip.bits && (ip.value & this.mask) === (this.ip.value & this.mask);
  }
}

const isIp = (text: string) => (isIPv4(text) || isIPv6(text)) && !text.includes("%");

function isCidr(text: string): boolean {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  return match !== null && isIp(match[1]!) && Number(match[2]) <= (isIPv4(match[1]!) ? 32 : 128);
}

function numberOf(text: string): bigint {
  if (isIPv4(text)) return text.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  // The URL parser knows every way in which IPv6 addresses are written.
  const host = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const [head = "", tail] = host.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const front = groups(head);
  const back = groups(tail ?? "");
  const middle = tail === undefined ? 0 : 8 - front.length - back.length;
  const all = [...front, ...Array<string>(middle).fill("0"), ...back];
  return all.reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n);
}

function printed(value: bigint, bits: number): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((by) => (value >> by) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(112 - 16 * i)) & 65535n).toString(16),
  );
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}

const within = (text: string) => {
  const network = new Cidr(text);
  return (ip: Ip) => network.holds(ip);
};
const any = (...networks: string[]) => {
  const all = networks.map(within);
  return (ip: Ip) => all.some((holds) => holds(ip));
};

const facts: Record<string, (ip: Ip) => boolean> = {
  isUnspecified: any("0.0.0.0/32", "::/128"),
  isLoopback: any("127.0.0.0/8", "::1/128"),
  isLinkLocalMulticast: any("224.0.0.0/24", "ff02::/16"),
  isLinkLocalUnicast: any("169.254.0.0/16", "fe80::/10"),
};
const isMulticast = any("224.0.0.0/4", "ff00::/8");
facts["isGlobalUnicast"] = (ip) =>
  ip.text !== "255.255.255.255" &&
  !isMulticast(ip) &&
  !["isUnspecified", "isLoopback", "isLinkLocalUnicast"].some((name) => facts[name]!(ip));

function ipOf(text: string): Ip {
  if (!isIp(text))
    throw new Error(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
  return new Ip(text);
}

function cidrOf(text: string): Cidr {
  if (!isCidr(text)) {
    throw new Error(
      `network address parse error during conversion from string: ${JSON.stringify(text)}`,
    );
  }
  return new Cidr(text);
}

class Ips {}

function addIps(environment: Environment) {
  environment
    .registerType("kubernetes.IPs", { ctor: Ips } as never)
    .registerConstant("ip", "kubernetes.IPs", new Ips())
    .registerFunction(
      "kubernetes.IPs.isCanonical(string): bool",
      (_: Ips, text: string) => ipOf(text).text === text,
    )
    .registerType("net.IP", { ctor: Ip } as never)
    .registerOperator(
      "net.IP == net.IP",
      (a: Ip, b: Ip) => a.bits === b.bits && a.value === b.value,
    )
    .registerFunction("isIP(string): bool", isIp)
    .registerFunction("ip(string): net.IP", ipOf)
    .registerFunction("string(net.IP): string", (ip: Ip) => ip.text)
    .registerFunction("net.IP.family(): int", (ip: Ip) => (ip.bits === 32 ? 4n : 6n));
  for (const [name, holds] of Object.entries(facts)) {
    environment.registerFunction(`net.IP.${name}(): bool`, holds);
  }
}

export function addIp(environment: Environment) {
  addIps(environment);
  environment
    .registerType("net.CIDR", { ctor: Cidr } as never)
    .registerOperator(
      "net.CIDR == net.CIDR",
      (a: Cidr, b: Cidr) => a.length === b.length && a.ip.text === b.ip.text,
    )
    .registerFunction("isCIDR(string): bool", isCidr)
    .registerFunction("cidr(string): net.CIDR", cidrOf)
    .registerFunction("string(net.CIDR): string", ({ ip, length }: Cidr) => `${ip.text}/${length}`)
    .registerFunction("net.CIDR.ip(): net.IP", ({ ip }: Cidr) => ip)
    .registerFunction("net.CIDR.prefixLength(): int", ({ length }: Cidr) => BigInt(length))
    .registerFunction(
      "net.CIDR.masked(): net.CIDR",
      (cidr: Cidr) =>
        new Cidr(`${printed(cidr.ip.value & cidr.mask, cidr.ip.bits)}/${cidr.length}`),
    )
    .registerFunction("net.CIDR.containsIP(net.IP): bool", (cidr: Cidr, ip: Ip) => cidr.holds(ip))
    .registerFunction("net.CIDR.containsIP(string): bool", (cidr: Cidr, ip: string) =>
      cidr.holds(ipOf(ip)),
    )
    .registerFunction(
      "net.CIDR.containsCIDR(net.CIDR): bool",
      (a: Cidr, b: Cidr) => a.holds(b.ip) && b.length >= a.length,
    )
    .registerFunction("net.CIDR.containsCIDR(string): bool", (a: Cidr, text: string) => {
      const b = cidrOf(text);
      return a.holds(b.ip) && b.length >= a.length;
    });
}
