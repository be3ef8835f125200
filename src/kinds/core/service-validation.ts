// What the schema cannot say of Services.
import { isAddress } from "../../lib/ip-range.ts";
import { addressRule, cidrRule, endpointAddressRule, familyErrors } from "../address-rules.ts";
import {
  duplicate,
  forbiddenValue,
  invalidValue,
  portNumber,
  portNumberOrName,
  required,
  supported,
} from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsLabel, dnsSubdomain, qualifiedName } from "../name-rules.ts";
import { all, each, fields, first, given, named, none, oneOf, orZero, unique } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { labelErrors } from "../validate-metadata.ts";

type Any = Record<string, any>;

const isTarget = (target: unknown) => target !== undefined && target !== 0 && target !== "";

const port = fields({
  name: given(named(dnsLabel)),
  port: orZero(portNumber),
  protocol: oneOf("SCTP", "TCP", "UDP"),
  targetPort: (target, at) => (isTarget(target) ? portNumberOrName(target, at) : none),
  appProtocol: named(qualifiedName),
});

function portsErrors(ports: Any[], at: string): Errors {
  const names = ports.length > 1 ? ports.map(({ name }) => name) : [];
  const seen = new Set<string>();
  return [
    ...each(port)(ports, at),
    ...names.flatMap((name, i) => (name ? none : [required(`${at}[${i}].name`)])),
    ...unique(({ name }) => name, ".name")(ports, at),
    ...ports.flatMap(({ protocol = "TCP", nodePort }, i) => {
      const key = `${protocol}/${nodePort}`;
      const isTwice = nodePort && seen.has(key);
      seen.add(key);
      return isTwice ? [duplicate(`${at}[${i}].nodePort`, nodePort)] : none;
    }),
    ...ports.flatMap(({ protocol, port: number }, i) =>
      ports.findIndex((one) => one["protocol"] === protocol && one["port"] === number) < i
        ? [duplicate(`${at}[${i}]`, { protocol, port: number })]
        : none,
    ),
  ];
}

/** Updates may leave ports behind that a former type had. */
const nodePortErrors = (ports: Any[], before: Any[]): Errors =>
  ports.flatMap(({ nodePort }, i) => {
    const why = "may not be used when `type` is 'ClusterIP'";
    return nodePort && !before.some((one) => one["nodePort"] === nodePort)
      ? [forbiddenValue(`spec.ports[${i}].nodePort`, why)]
      : none;
  });

const isHeadless = ({ clusterIP, clusterIPs }: Any) =>
  clusterIP === "None" || clusterIPs?.[0] === "None";

function externalNameErrors(spec: Any): Errors {
  const why = "may not be set for ExternalName services";
  const set = (name: string) =>
    Array.isArray(spec[name]) ? spec[name].length > 0 : spec[name] !== undefined;
  const name = (spec["externalName"] ?? "").replace(/\.$/, "");
  return [
    ...["clusterIPs", "ipFamilies", "ipFamilyPolicy"]
      .filter(set)
      .map((field) => forbiddenValue(`spec.${field}`, why)),
    ...(name ? named(dnsSubdomain)(name, "spec.externalName") : [required("spec.externalName")]),
  ];
}

function typeErrors(spec: Any): Errors {
  const { type, ports } = spec;
  if (type === "ExternalName") return externalNameErrors(spec);
  if (isHeadless(spec)) {
    const why = `may not be set to 'None' for ${type} services`;
    return type === "LoadBalancer" || type === "NodePort"
      ? [invalidValue("spec.clusterIPs[0]", "None", why)]
      : none;
  }
  return ports?.length ? none : [required("spec.ports")];
}

const affinitySecondsMax = 86_400;

function affinityErrors({ sessionAffinity, sessionAffinityConfig: config }: Any): Errors {
  const errors = supported("spec.sessionAffinity", sessionAffinity, ["ClientIP", "None"]);
  const seconds = config?.clientIP?.timeoutSeconds;
  if (sessionAffinity !== "ClientIP" || seconds === undefined) return errors;
  if (seconds > 0 && seconds <= affinitySecondsMax) return errors;
  const why = `must be greater than 0 and less than ${affinitySecondsMax}`;
  const field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
  return [...errors, invalidValue(field, seconds, why)];
}

const families = fields({
  ipFamilies: all(each(oneOf("IPv4", "IPv6")), unique()),
  ipFamilyPolicy: oneOf("PreferDualStack", "RequireDualStack", "SingleStack"),
});

const clusterAddressesMax = 2;

function clusterAddressErrors(spec: Any, known: string[]): Errors {
  const { clusterIP = "", clusterIPs: list = [], ipFamilies = [] } = spec;
  const at = "spec.clusterIPs";
  const wrong = (why: string) => invalidValue(at, list, why);
  const head = families(spec, "spec");
  if (clusterIP === "" && list.length > 0) {
    return [wrong("must be empty when `clusterIP` is not specified"), ...head];
  }
  if (list.length > 0 && list[0] !== clusterIP) {
    return [wrong("first value must match `clusterIP`"), ...head];
  }
  const all: string[] = list.length > 0 ? list : clusterIP ? [clusterIP] : [];
  if (all[0] === "None") {
    const why = "'None' must be the first and only value";
    return all.length > 1 ? [...head, wrong(why)] : head;
  }
  const addresses = all.flatMap((one, i) =>
    known.includes(one) ? none : addressRule(one, `${at}[${i}]`),
  );
  const many =
    all.length > clusterAddressesMax
      ? [wrong(`may only hold up to ${clusterAddressesMax} values`)]
      : none;
  if (addresses.length > 0) return [...head, ...addresses, ...many];
  const mismatched = all.flatMap((one, i) => {
    const family = ipFamilies[i];
    const isV6 = one.includes(":");
    if (family === undefined || (family === "IPv6") === isV6) return none;
    const why = `expected an ${family} value as indicated by \`ipFamilies[${i}]\``;
    return [invalidValue(`${at}[${i}]`, one, why)];
  });
  return [...head, ...many, ...familyErrors(all, at, "IP"), ...mismatched];
}

/** An address that was given stays, unless the type is one without. */
function keptAddressErrors(spec: Any, before: Any | undefined): Errors {
  const { clusterIP = "", type } = spec;
  const was = before?.["clusterIP"];
  const had = before?.["type"] !== "ExternalName" && was;
  if (!had || type === "ExternalName" || clusterIP === "" || clusterIP === was) return none;
  const list = spec["clusterIPs"] ?? [clusterIP];
  return [invalidValue("spec.clusterIPs[0]", list, "may not change once set")];
}

const checkWhy =
  "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";

function checkErrors(spec: Any, before: Any | undefined): Errors {
  const { type, externalTrafficPolicy, healthCheckNodePort: port } = spec;
  const needsIt = type === "LoadBalancer" && externalTrafficPolicy === "Local";
  if (!port || needsIt || port === before?.["healthCheckNodePort"]) return none;
  return [invalidValue("spec.healthCheckNodePort", port, checkWhy)];
}

const policies = ["Cluster", "Local"];
const distributions = ["PreferClose", "PreferSameZone", "PreferSameNode"];

function trafficErrors(spec: Any): Errors {
  const { type, externalTrafficPolicy: policy, externalIPs = [] } = spec;
  const field = "spec.externalTrafficPolicy";
  const isOpen =
    type === "LoadBalancer" ||
    type === "NodePort" ||
    (type === "ClusterIP" && externalIPs.length > 0);
  const why = "may only be set for externally-accessible services";
  return [
    ...(policy && !isOpen
      ? [invalidValue(field, policy, why)]
      : supported(field, policy || undefined, policies)),
    ...supported("spec.internalTrafficPolicy", spec["internalTrafficPolicy"], policies),
    ...supported("spec.trafficDistribution", spec["trafficDistribution"], distributions),
  ];
}

const onlyWhy = "may only be used when `type` is 'LoadBalancer'";

/** Upstream begins the name of the ranges with a capital. */
const ranges = "spec.LoadBalancerSourceRanges";

function balancerErrors(spec: Any, old: Any | undefined): Errors {
  const { type, loadBalancerSourceRanges: list = [], loadBalancerClass } = spec;
  const isBalanced = type === "LoadBalancer";
  const known = (old?.["loadBalancerSourceRanges"] ?? []).map((one: string) => one.trim());
  const others: [field: string, value: unknown][] = [
    ["allocateLoadBalancerNodePorts", spec["allocateLoadBalancerNodePorts"]],
    ["loadBalancerClass", loadBalancerClass],
  ];
  const forbidden = isBalanced
    ? []
    : others.filter(([, value]) => value !== undefined).map(([name]) => `spec.${name}`);
  return [
    ...(list.length > 0 && !isBalanced ? [forbiddenValue(ranges, onlyWhy)] : none),
    ...list.flatMap((one: string, i: number) =>
      known.includes(one.trim()) ? none : cidrRule(one.trim(), `${ranges}[${i}]`),
    ),
    ...forbidden.map((field) => forbiddenValue(field, onlyWhy)),
    ...(isBalanced && old?.["type"] === type && old?.["loadBalancerClass"] !== loadBalancerClass
      ? [
          invalidValue(
            "spec.loadBalancerClass",
            loadBalancerClass ?? null,
            "may not change once set",
          ),
        ]
      : none),
    ...(isBalanced && loadBalancerClass !== undefined
      ? named(qualifiedName)(loadBalancerClass, "spec.loadBalancerClass")
      : none),
  ];
}

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const external: Rule = first(addressRule, endpointAddressRule);

export function serviceErrors({ object: { spec }, old, subresource }: Change): Errors {
  if (subresource !== "") return none;
  const service: Any = spec ?? {};
  const before = old?.spec;
  const { type, ports = [], externalIPs = [] } = service;
  return [
    ...typeErrors(service),
    ...portsErrors(ports, "spec.ports"),
    ...labelErrors(service["selector"], "spec.selector"),
    ...affinityErrors(service),
    ...(type === "ExternalName" ? none : clusterAddressErrors(service, before?.clusterIPs ?? [])),
    ...externalIPs.flatMap((one: string, i: number) =>
      before?.externalIPs?.includes(one) && isAddress(one)
        ? none
        : external(one, `spec.externalIPs[${i}]`),
    ),
    ...supported("spec.type", type, types),
    ...((type ?? "ClusterIP") === "ClusterIP" ? nodePortErrors(ports, before?.ports ?? []) : none),
    ...balancerErrors(service, before),
    ...trafficErrors(service),
    ...checkErrors(service, before),
    ...keptAddressErrors(service, before),
  ];
}
