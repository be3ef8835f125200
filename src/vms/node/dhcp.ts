// DHCP for one guest (RFC 2131): whoever has the VM's own MAC is told the one address there is, for good. Pure.
import type { Lease } from "../prepare/network-plan.ts";

const cookie = Buffer.from([99, 130, 83, 99]);
const optionsAt = 240;
const kinds = { discover: 1, offer: 2, request: 3, acknowledge: 5, refuse: 6, inform: 8 } as const;

const foreverSeconds = 0xffffffff;

const address = (text: string) => Buffer.from(text.split(".").map(Number));
const macText = (bytes: Buffer) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");

const short = (value: number) => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
};
const long = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

function option(options: Buffer, wanted: number): Buffer | undefined {
  for (let at = 0; at < options.length && options[at] !== 255;) {
    const code = options[at]!;
    if (code === 0) {
      at += 1;
      continue;
    }
    const length = options[at + 1] ?? 0;
    if (code === wanted) return options.subarray(at + 2, at + 2 + length);
    at += 2 + length;
  }
  return undefined;
}

const mask = (prefix: number) => long(prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0);

/** Names as DNS writes them, for the search list (RFC 3397). */
function names(searches: string[]): Buffer {
  const parts = searches.flatMap((name) => [
    ...name
      .split(".")
      .filter((label) => label.length > 0 && label.length < 64)
      .map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.from([0]),
  ]);
  return Buffer.concat(parts);
}

const optionBytesMax = 255;

function optionsOf(lease: Lease): [number, Buffer][] {
  const { dns, searches, ntpServers = [], hostname, tftpServerName, bootFileName } = lease;
  const list: [number, Buffer][] = [
    [1, mask(lease.prefix)],
    [3, address(lease.router)],
    [6, Buffer.concat(dns.map(address))],
    [12, Buffer.from(hostname)],
    [15, Buffer.from(searches[0] ?? "")],
    [26, short(lease.mtu)],
    [42, Buffer.concat(ntpServers.filter((one) => /^[\d.]+$/.test(one)).map(address))],
    [51, long(foreverSeconds)],
    [54, address(lease.server)],
    [66, Buffer.from(tftpServerName ?? "")],
    [67, Buffer.from(bootFileName ?? "")],
    [119, names(searches)],
    ...(lease.options ?? []).map(([code, text]): [number, Buffer] => [code, Buffer.from(text)]),
  ];
  return list.filter(([, value]) => value.length > 0 && value.length <= optionBytesMax);
}

export interface DhcpAnswer {
  message: Buffer;
  /** Where the guest hears it. */
  to: string;
}

/** The answer to a guest's message; undefined for what is none of ours. */
export function dhcpAnswer(request: Buffer, lease: Lease): DhcpAnswer | undefined {
  if (request.length < optionsAt || request[0] !== 1) return undefined;
  if (!request.subarray(236, 240).equals(cookie)) return undefined;
  if (macText(request.subarray(28, 34)) !== lease.mac) return undefined;
  const options = request.subarray(optionsAt);
  const asked = option(options, 53)?.[0];
  const ours = address(lease.address);
  const server = option(options, 54);
  if (server && !server.equals(address(lease.server))) return undefined;
  const wanted = option(options, 50) ?? request.subarray(12, 16);
  const isWrong = asked === kinds.request && !wanted.equals(ours);
  const answers: Record<number, number> = {
    [kinds.discover]: kinds.offer,
    [kinds.request]: isWrong ? kinds.refuse : kinds.acknowledge,
    [kinds.inform]: kinds.acknowledge,
  };
  const kind = answers[asked ?? 0];
  if (kind === undefined) return undefined;
  const head = Buffer.alloc(optionsAt);
  request.copy(head, 0, 0, optionsAt);
  head[0] = 2;
  head[3] = 0;
  if (!isWrong) ours.copy(head, 16);
  address(lease.server).copy(head, 20);
  head.fill(0, 44, 236);
  const said: [number, Buffer][] = [[53, Buffer.from([kind])]];
  said.push(...(isWrong ? optionsOf(lease).filter(([code]) => code === 54) : optionsOf(lease)));
  const encoded = said.map(([code, value]) =>
    Buffer.concat([Buffer.from([code, value.length]), value]),
  );
  const message = Buffer.concat([head, ...encoded, Buffer.from([255])]);
  const hasAddress = !request.subarray(12, 16).equals(Buffer.alloc(4)) && !isWrong;
  return { message, to: hasAddress ? lease.address : "255.255.255.255" };
}
