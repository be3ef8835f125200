// What went through the machine's network interfaces, and which one leads to which pod. Pure.

export interface InterfaceUse {
  name: string;
  rxBytes: number;
  rxErrors: number;
  txBytes: number;
  txErrors: number;
  rxPackets: number;
  rxDropped: number;
  txPackets: number;
  txDropped: number;
}

/** Of /proc/net/dev. */
export function parseInterfaces(text: string): InterfaceUse[] {
  return text.split("\n").flatMap((line) => {
    const [, name, rest] = /^\s*([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (!name || !rest) return [];
    const numbers = rest.split(/\s+/).map(Number);
    const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDropped = 0] = numbers;
    const [txBytes = 0, txPackets = 0, txErrors = 0, txDropped = 0] = numbers.slice(8);
    const received = { rxBytes, rxErrors, rxPackets, rxDropped };
    return [{ name, ...received, txBytes, txErrors, txPackets, txDropped }];
  });
}

/** `0A660002` on a little-endian machine is 2.0.102.10 backwards. */
const addressOf = (hex: string) =>
  (hex.match(/../g) ?? [])
    .map((byte) => parseInt(byte, 16))
    .reverse()
    .join(".");

/** Routes to single addresses, of /proc/net/route. */
export function interfacesByAddress(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n").slice(1)) {
    const [name, destination, , , , , , mask] = line.split("\t");
    if (name && destination && mask === "FFFFFFFF") found.set(addressOf(destination), name);
  }
  return found;
}

/** The one that leads to everywhere else. */
export const defaultInterface = (text: string): string | undefined =>
  /^(\S+)\t00000000\t/m.exec(text)?.[1];
