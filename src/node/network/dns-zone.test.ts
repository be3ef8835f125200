import assert from "node:assert/strict";
import { test } from "node:test";
import { answerQuestion } from "./dns-zone.ts";
import type { DnsSource } from "./dns-zone.ts";

const object = (name: string, fields: object) =>
  ({ metadata: { name, namespace: "shop" }, kind: "Service", ...fields }) as any;
const services: Record<string, any> = {
  web: object("web", {
    spec: { clusterIP: "10.150.0.5", ports: [{ name: "http", protocol: "TCP", port: 80 }] },
  }),
  db: object("db", {
    spec: { clusterIP: "None", ports: [{ name: "sql", protocol: "TCP", port: 5432 }] },
  }),
  both: object("both", {
    spec: {
      clusterIP: "10.150.0.6",
      clusterIPs: ["10.150.0.6", "fd00:150::6"],
      ports: [{ name: "http", protocol: "TCP", port: 80 }],
    },
  }),
  six: object("six", { spec: { clusterIP: "None", clusterIPs: ["None"] } }),
  out: object("out", { spec: { type: "ExternalName", externalName: "example.org" } }),
};
const slice = {
  metadata: { name: "db-x", namespace: "shop", labels: { "kubernetes.io/service-name": "db" } },
  kind: "EndpointSlice",
  addressType: "IPv4",
  ports: [{ name: "sql", protocol: "TCP", port: 5432 }],
  endpoints: [
    { addresses: ["10.100.0.7"], hostname: "db-0", conditions: { ready: true } },
    { addresses: ["10.100.0.8"], conditions: { ready: false } },
  ],
} as any;
const sixSlice = {
  metadata: { name: "six-x", namespace: "shop", labels: { "kubernetes.io/service-name": "six" } },
  kind: "EndpointSlice",
  addressType: "IPv6",
  ports: [],
  endpoints: [{ addresses: ["fd00:100::7"], conditions: { ready: true } }],
} as any;
const byAddress: Record<string, any> = {
  "10.150.0.5": services["web"],
  "10.100.0.7": slice,
  "fd00:150::6": services["both"],
  "fd00:100::7": sixSlice,
};
const reversed = (text: string) => `${[...text].toReversed().join(".")}.ip6.arpa`;
const source: DnsSource = {
  domain: "cluster.local",
  namespaceExists: (name) => name === "shop",
  service: (namespace, name) => (namespace === "shop" ? services[name] : undefined),
  slices: (_, name) => (name === "db" ? [slice] : name === "six" ? [sixSlice] : []),
  namespaceOf: (address) => (address === "10.100.0.9" ? "shop" : undefined),
  byAddress: (address) => byAddress[address],
};
const ask = (name: string, type = "A") => {
  const answer = answerQuestion(source, name, type);
  return (
    answer && [
      answer.code,
      ...answer.answers.map((a) =>
        typeof a.data === "string" ? a.data : `${a.data.target}:${a.data.port}`,
      ),
    ]
  );
};

const cases: [string, string, string[] | undefined][] = [
  ["web.shop.svc.cluster.local", "A", ["NOERROR", "10.150.0.5"]],
  ["WEB.Shop.svc.cluster.local", "A", ["NOERROR", "10.150.0.5"]],
  ["web.shop.svc.cluster.local", "AAAA", ["NOERROR"]],
  ["_http._tcp.web.shop.svc.cluster.local", "SRV", ["NOERROR", "web.shop.svc.cluster.local:80"]],
  ["db.shop.svc.cluster.local", "A", ["NOERROR", "10.100.0.7"]],
  ["db-0.db.shop.svc.cluster.local", "A", ["NOERROR", "10.100.0.7"]],
  ["db-1.db.shop.svc.cluster.local", "A", ["NXDOMAIN"]],
  [
    "_sql._tcp.db.shop.svc.cluster.local",
    "SRV",
    ["NOERROR", "db-0.db.shop.svc.cluster.local:5432"],
  ],
  ["out.shop.svc.cluster.local", "A", ["NOERROR", "example.org"]],
  ["nope.shop.svc.cluster.local", "A", ["NXDOMAIN"]],
  ["shop.svc.cluster.local", "A", ["NOERROR"]],
  ["10-1-2-3.shop.pod.cluster.local", "A", ["NOERROR", "10.1.2.3"]],
  ["10-1-2-300.shop.pod.cluster.local", "A", ["NXDOMAIN"]],
  ["5.0.150.10.in-addr.arpa", "PTR", ["NOERROR", "web.shop.svc.cluster.local"]],
  ["7.0.100.10.in-addr.arpa", "PTR", ["NOERROR", "db-0.db.shop.svc.cluster.local"]],
  ["9.9.9.9.in-addr.arpa", "PTR", undefined],
  ["both.shop.svc.cluster.local", "A", ["NOERROR", "10.150.0.6"]],
  ["both.shop.svc.cluster.local", "AAAA", ["NOERROR", "fd00:150::6"]],
  ["both.shop.svc.cluster.local", "ANY", ["NOERROR", "10.150.0.6", "fd00:150::6"]],
  ["_http._tcp.both.shop.svc.cluster.local", "SRV", ["NOERROR", "both.shop.svc.cluster.local:80"]],
  ["six.shop.svc.cluster.local", "A", ["NOERROR"]],
  ["six.shop.svc.cluster.local", "AAAA", ["NOERROR", "fd00:100::7"]],
  ["fd00-100--7.six.shop.svc.cluster.local", "AAAA", ["NOERROR", "fd00:100::7"]],
  ["fd00-100--7.shop.pod.cluster.local", "AAAA", ["NOERROR", "fd00:100::7"]],
  ["fd00-100--7.shop.pod.cluster.local", "A", ["NOERROR"]],
  ["fd00-100--g.shop.pod.cluster.local", "AAAA", ["NXDOMAIN"]],
  ["fe80--1%x.shop.pod.cluster.local", "AAAA", ["NXDOMAIN"]],
  [reversed("fd000150000000000000000000000006"), "PTR", ["NOERROR", "both.shop.svc.cluster.local"]],
  [
    reversed("fd000100000000000000000000000007"),
    "PTR",
    ["NOERROR", "fd00-100--7.six.shop.svc.cluster.local"],
  ],
  [reversed("fd000100000000000000000000000009"), "PTR", undefined],
  ["1.0.ip6.arpa", "PTR", undefined],
  ["example.org", "A", undefined],
];

for (const [name, type, expected] of cases) {
  test(`${type} ${name}`, () => assert.deepEqual(ask(name, type), expected));
}
