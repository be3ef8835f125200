// Addresses and errors of wasi:sockets.
export interface SocketAddress {
  tag: "ipv4" | "ipv6";
  val: { port: number; address: number[]; flowInfo?: number; scopeId?: number };
}

const errorCodes: Record<string, string> = {
  EACCES: "access-denied",
  EADDRINUSE: "address-in-use",
  EADDRNOTAVAIL: "address-not-bindable",
  ECONNREFUSED: "connection-refused",
  ECONNRESET: "connection-reset",
  EHOSTUNREACH: "remote-unreachable",
  EMSGSIZE: "datagram-too-large",
  ENETUNREACH: "remote-unreachable",
  ENOTFOUND: "name-unresolvable",
  EAI_AGAIN: "temporary-resolver-failure",
  EPERM: "access-denied",
  ETIMEDOUT: "timeout",
};

export const socketErrorOf = ({ code = "" }: NodeJS.ErrnoException) =>
  errorCodes[code] ?? "unknown";

export const hostOf = ({ tag, val }: SocketAddress) =>
  tag === "ipv4" ? val.address.join(".") : val.address.map((one) => one.toString(16)).join(":");

/** The eight groups of an address, with `::` filled in. */
function groupsOf(address: string): number[] {
  const [head = "", tail] = address.split("%")[0]!.split("::");
  const numbers = (text = "") => (text ? text.split(":").map((one) => parseInt(one, 16)) : []);
  const [before, after] = [numbers(head), numbers(tail)];
  const zeroes = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: zeroes }, () => 0), ...after];
}

export const ipOf = (address: string) =>
  address.includes(":")
    ? { tag: "ipv6", val: groupsOf(address) }
    : { tag: "ipv4", val: address.split(".").map(Number) };

export function addressOf(address: string, port: number): SocketAddress {
  const { tag, val } = ipOf(address);
  const more = tag === "ipv6" ? { flowInfo: 0, scopeId: 0 } : {};
  return { tag, val: { port, address: val, ...more } } as SocketAddress;
}
