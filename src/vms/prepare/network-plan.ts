// How a guest's cable is laid in the pod's network namespace, as words for `ip` and `nft`. Pure.
//
// masquerade: a tap with a network of its own behind it; the pod's address stands for the guest's, both ways.
// bridge: the pod's interface and the tap are one bridge, and the guest has the pod's address.
import type { Domain, DomainInterface } from "../domain.ts";

/** What `ip -json address` says of the pod's interface. */
export interface PodInterface {
  name: string;
  mtu: number;
  address: string;
  prefix: number;
  gateway: string;
}

/** What the guest is told by DHCP, and where from. */
export interface Lease {
  /** In the pod's network namespace. */
  device: string;
  /** The server's own address. */
  server: string;
  mac: string;
  address: string;
  prefix: number;
  router: string;
  mtu: number;
  dns: string[];
  searches: string[];
  hostname: string;
  bootFileName?: string;
  tftpServerName?: string;
  ntpServers?: string[];
  /** Others, by their numbers. */
  options?: [number, string][];
}

export interface NetworkPlan {
  tap?: string;
  /** Lines for `ip -batch`. */
  ip: string[];
  /** Files below /proc/sys, and what they are to hold. */
  settings: Record<string, string>;
  nft: string;
  lease?: Pick<Lease, "device" | "server" | "address" | "prefix" | "router" | "mtu">;
}

/**
 * Of connections that QEMU itself has, by which guests and their disks move: what was written and not read yet is still
 * to be loaded when the guest stands still, so the kernel holds little of it. It is enough for the usual bandwidth
 * where a packet and its answer take up to 5 ms.
 */
export const streamSettings = {
  "net/ipv4/tcp_rmem": "4096 131072 524288",
  "net/ipv4/tcp_notsent_lowat": "65536",
  // Who does not answer within seven seconds is asked anew, and not after two minutes.
  "net/ipv4/tcp_syn_retries": "2",
};

const number = (address: string) =>
  address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const dotted = (value: number) =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");

/** The second and third address: of the gateway and of the guest. */
export function guestNetwork(cidr: string) {
  const [network = "", prefix = "24"] = cidr.split("/");
  const size = 2 ** (32 - Number(prefix));
  const first = Math.floor(number(network) / size) * size;
  return { gateway: dotted(first + 1), guest: dotted(first + 2), prefix: Number(prefix) };
}

/** The gateway's, the same on every node: a guest that moved knows it. */
const gatewayMac = "02:00:00:00:00:01";

const makeTap = (tap: string, { user, isMultiQueue }: PlanOptions, mtu: number) => [
  `tuntap add dev ${tap} mode tap user ${user} group ${user}${isMultiQueue ? " multi_queue" : ""}`,
  `link set dev ${tap} address ${gatewayMac}`,
  `link set dev ${tap} mtu ${mtu} up`,
];

/** Which of the traffic is the guest's. */
function chosen(ports: DomainInterface["ports"]): string[] {
  if (ports.length === 0) return [""];
  return (["TCP", "UDP"] as const).flatMap((protocol) => {
    const own = ports.filter((one) => one.protocol === protocol).map(({ port }) => port);
    return own.length > 0 ? [`${protocol.toLowerCase()} dport { ${own.join(", ")} } `] : [];
  });
}

/** Where a live migration arrives, at the address of the pod itself, which is never the guest's then. */
export const migrationPorts = { memory: 49152, disks: 49153 } as const;

/**
 * A guest that moved here is known by `address`, which the pod does not have: packets to it are led here
 * (node/network/moved-routes.ts). Its connections go on although nothing here saw them begin; what belongs to none of
 * the guest's ports must not be answered by the pod, nor be sent round in circles.
 */
function masquerade(one: DomainInterface, pod: PodInterface, options: PlanOptions): NetworkPlan {
  const tap = "tap0";
  const { address = pod.address } = options;
  const { gateway, guest, prefix } = guestNetwork(one.cidr);
  const hasMoved = address !== pod.address;
  const toGuest = chosen(one.ports);
  const lines = (before: string) =>
    toGuest.map((match) => `    ${before} ${match}dnat to ${guest}`).join("\n");
  return {
    tap,
    ip: [
      ...makeTap(tap, options, pod.mtu),
      `address add ${gateway}/${prefix} dev ${tap}`,
      `route add 255.255.255.255/32 dev ${tap}`,
    ],
    settings: { "net/ipv4/ip_forward": "1", "net/ipv4/conf/all/route_localnet": "1" },
    nft: `table ip kerb_vm {
  chain prerouting {
    type nat hook prerouting priority dstnat;
${lines(`iifname "${pod.name}" ip daddr ${address}`)}${hasMoved ? underWay(pod.name, address, guest) : ""}
  }
  chain output {
    type nat hook output priority -100;
${lines("ip daddr 127.0.0.1")}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "${tap}" ip saddr 127.0.0.1 snat to ${gateway}
    oifname "${pod.name}" ip saddr ${guest} snat to ${address}
  }
  chain forward {
    type filter hook forward priority filter;
    iifname "${tap}" ip saddr != ${guest} drop
${hasMoved ? refused(pod.name) : ""}  }
}
`,
    lease: { device: tap, server: gateway, address: guest, prefix, router: gateway, mtu: pod.mtu },
  };
}

/** What the guest began itself, before it was here. */
const underWay = (name: string, address: string, guest: string) =>
  `\n    iifname "${name}" ip daddr ${address} tcp flags & (syn | rst) == 0x0 dnat to ${guest}`;

const refused = (name: string) =>
  [
    `    iifname "${name}" oifname "${name}" tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset`,
    `    iifname "${name}" oifname "${name}" drop`,
    "",
  ].join("\n");

/** Of the DHCP server on a bridge; link-local, as guests never see it but as the server's name. */
const bridgeServer = "169.254.75.10";

function bridge(pod: PodInterface, options: PlanOptions): NetworkPlan {
  const [tap, link] = ["tap0", "kerb-vm"];
  return {
    tap,
    ip: [
      ...makeTap(tap, options, pod.mtu),
      `link add name ${link} type bridge forward_delay 0`,
      `link set dev ${link} mtu ${pod.mtu} up`,
      `address flush dev ${pod.name}`,
      `link set dev ${pod.name} master ${link}`,
      `link set dev ${tap} master ${link}`,
      `address add ${bridgeServer}/32 dev ${link}`,
      `route add 255.255.255.255/32 dev ${link}`,
    ],
    settings: {},
    nft: "",
    lease: {
      device: link,
      server: bridgeServer,
      address: pod.address,
      prefix: pod.prefix,
      router: pod.gateway,
      mtu: pod.mtu,
    },
  };
}

/** Where such connections are the guest's own. */
const hasOwnNetwork = ({ interfaces }: Pick<Domain, "interfaces">) =>
  interfaces.some(({ binding }) => binding === "user");

/** What is set in the pod's namespace for all of its cables. */
export function networkSettings(domain: Pick<Domain, "interfaces">, plans: NetworkPlan[]) {
  const own = hasOwnNetwork(domain) ? {} : streamSettings;
  return Object.assign({}, own, ...plans.map(({ settings }) => settings)) as Record<string, string>;
}

/** QEMU's own network takes the guest's ports as any program of the pod would, low ones too. */
const ownNetwork: NetworkPlan = {
  ip: [],
  settings: { "net/ipv4/ip_unprivileged_port_start": "0" },
  nft: "",
};

export interface PlanOptions {
  /** The owner of the tap. */
  user: number;
  /** It has more than one queue. */
  isMultiQueue?: boolean;
  /** What the guest is known by; default: the pod's address. */
  address?: string | undefined;
}

export function networkPlan(one: DomainInterface, pod: PodInterface, options: PlanOptions) {
  if (one.binding === "user") return ownNetwork;
  return one.binding === "bridge" ? bridge(pod, options) : masquerade(one, pod, options);
}

/** From `ip -json address` and `ip -json route`. Throws when the pod has no address. */
export function podInterface(addresses: any[], routes: any[]): PodInterface {
  const route = routes.find(({ dst }) => dst === "default");
  const link = addresses.find(({ ifname }) => ifname === (route?.dev ?? "eth0"));
  const own = link?.addr_info?.find(({ family }: any) => family === "inet");
  if (!own) throw new Error("the pod has no IPv4 address");
  return {
    name: link.ifname,
    mtu: link.mtu,
    address: own.local,
    prefix: own.prefixlen,
    gateway: route?.gateway ?? own.local,
  };
}
