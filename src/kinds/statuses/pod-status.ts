// What a node may tell of a pod.
import { addressRule } from "../address-rules.ts";
import { forbiddenValue, invalidValue } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsSubdomain, qualifiedName } from "../name-rules.ts";
import { between, each, fields, named, none, unique } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

const own = new Set(["PodScheduled", "Ready", "Initialized"]);
const generationWhy = "must be a non-negative integer";

const generation = (value: number | undefined, at: string): Errors =>
  (value ?? 0) < 0 ? [invalidValue(`${at}.observedGeneration`, value, generationWhy)] : none;

const name = named(qualifiedName);

/** Types are told by the name that upstream has for them. */
const conditions: Rule = (list: any[], at) => {
  let errors = none;
  for (const [i, { type = "", observedGeneration }] of list.entries()) {
    const wrong = [
      ...generation(observedGeneration, `${at}[${i}]`),
      ...(own.has(type) ? none : name(type, `${at}[${i}].Type`)),
    ];
    if (wrong.length > 0) errors = [...errors, ...wrong];
  }
  return errors;
};

const familyWhy = "may specify no more than one IP for each IP family";

/** Those that were there before are left alone. */
function addressErrors(list: any[] = [], old: any[] = [], at: string): Errors {
  const known = new Set(old.map(({ ip }) => ip));
  const isV6 = list.map(({ ip = "" }) => ip.includes(":"));
  const isMixed = list.length < 2 || (list.length === 2 && isV6[0] !== isV6[1]);
  return [
    ...list.flatMap(({ ip = "" }, i) => (known.has(ip) ? none : addressRule(ip, `${at}[${i}]`))),
    ...(isMixed ? none : [invalidValue(at, list, familyWhy)]),
  ];
}

const claimWhy = "must match the name of an entry in `spec.resourceClaims`";
const claimName = named(dnsSubdomain);

const claims =
  (asked: any[] = []): Rule =>
  (list: any[], at) => [
    ...list.flatMap(({ name: of = "", resourceClaimName }, i) => [
      ...(asked.some((one) => one.name === of)
        ? none
        : [invalidValue(`${at}[${i}].name`, of, claimWhy)]),
      ...(resourceClaimName === undefined
        ? none
        : claimName(resourceClaimName, `${at}[${i}].resourceClaimName`)),
    ]),
    ...unique((one: any) => one.name, ".name")(list, at),
  ];

/** The older field, of one address, wins where both differ. */
const addressesOf = ({ podIP, podIPs = [] }: any): any[] =>
  podIP && podIPs[0]?.ip !== podIP ? [{ ip: podIP }] : podIPs;

const identity = between(0, 2 ** 31 - 1);
const containers = each(
  fields({
    user: fields({
      linux: fields({ uid: identity, gid: identity, supplementalGroups: each(identity) }),
    }),
  }),
);

const told = fields({
  conditions,
  containerStatuses: containers,
  initContainerStatuses: containers,
  ephemeralContainerStatuses: containers,
});

const firstWhy = "must be equal to `hostIP`";
const nodeName = named(dnsSubdomain);

/** What ended and is not started again has ended. */
function restartErrors(now: any[] = [], before: any[] = [], at: string): Errors {
  return before.flatMap((old) => {
    const i = now.findIndex((one) => one.name === old.name);
    if (!old.state?.terminated || i < 0 || now[i].state?.terminated) return none;
    const why = "may not be transitioned to non-terminated state";
    return [forbiddenValue(`${at}[${i}].state`, why)];
  });
}

export function podStatusErrors({ object, old }: Change): Errors {
  const { status = {}, spec = {} } = object;
  const before = old?.status ?? {};
  const { nominatedNodeName: nominee, hostIPs, hostIP = "" } = status;
  const isNew = nominee && nominee !== before.nominatedNodeName;
  const isPlain = ![...(spec.containers ?? []), ...(spec.initContainers ?? [])].some(
    (one) => one.restartPolicy || one.restartPolicyRules,
  );
  return [
    ...told(status, "status"),
    ...(status.resourceClaimStatuses
      ? claims(spec.resourceClaims)(status.resourceClaimStatuses, "status.resourceClaimStatuses")
      : none),
    ...(isNew ? nodeName(nominee, "status.nominatedNodeName") : none),
    ...generation(status.observedGeneration, "status"),
    ...(status.qosClass && before.qosClass && status.qosClass !== before.qosClass
      ? [invalidValue("status.qosClass", status.qosClass, "field is immutable")]
      : none),
    ...(spec.restartPolicy === "Never" && isPlain
      ? restartErrors(
          status.containerStatuses,
          before.containerStatuses,
          "status.containerStatuses",
        )
      : none),
    ...addressErrors(addressesOf(status), before.podIPs, "status.podIPs"),
    ...(hostIPs?.length && (hostIPs[0].ip ?? "") !== hostIP
      ? [invalidValue("status.hostIPs[0].ip", hostIPs[0].ip ?? "", firstWhy)]
      : none),
    ...addressErrors(hostIPs, before.hostIPs, "status.hostIPs"),
  ];
}
