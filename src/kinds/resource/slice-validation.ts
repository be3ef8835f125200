// What slices of devices, written by their drivers, must say beyond their schema.
import { forbiddenValue, invalidValue, notFoundValue, required } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsLabel, dnsSubdomain } from "../name-rules.ts";
import {
  all,
  always,
  atMost,
  each,
  eachValue,
  fields,
  holds,
  named,
  needed,
  none,
  orZero,
  tooLong,
  tooMany,
  unique,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { nodeSelectorErrors } from "../selector-validation.ts";
import { capacityPolicy } from "./capacity-policy.ts";
import {
  attributeName,
  deviceName,
  driverName,
  isTrueOrAbsent,
  poolName,
  taint,
  valueOf,
} from "./device-rules.ts";

const devicesMax = 128;
/** Of slices whose devices say more than most do. */
const richDevicesMax = 64;
const counterSetsMax = 8;
const countersMax = 32;
const consumptionsMax = 2;
const namesMax = 32;
const valuesMax = 48;
const valueCharsMax = 64;
const taintsMax = 16;

const keysOf =
  (rule: Rule): Rule =>
  (map, at) => {
    let errors = none;
    for (const key in map) errors = [...errors, ...rule(key, at)];
    return errors;
  };

const counterName = named(dnsLabel);

const counters = always((map, at) => {
  const count = Object.keys(map).length;
  if (count === 0) return [required(at)];
  return count > countersMax ? [tooMany(at, count, countersMax)] : keysOf(counterName)(map, at);
});

const counterSet = fields({ name: needed(counterName), counters });
const consumption = fields({ counterSet: needed(counterName), counters });

const text: Rule = (value: string, at) =>
  value.length > valueCharsMax ? [tooLong(at, valueCharsMax)] : none;

const part = "(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)";
const semver = new RegExp(
  `^(?:0|[1-9]\\d*)\\.(?:0|[1-9]\\d*)\\.(?:0|[1-9]\\d*)(?:-${part}(?:\\.${part})*)?` +
    "(?:\\+[0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*)?$",
);
const version = all(
  holds(
    (value: string) => semver.test(value),
    "must be a string compatible with semver.org spec 2.0.0",
  ),
  text,
);

/** What is one value, and what is a list of them. */
const kindsOfValues: Record<string, Rule> = {
  bool: () => none,
  int: () => none,
  string: text,
  version,
};

const ofAttribute = fields(kindsOfValues);

const attribute: Rule = (one, at) => {
  const given = Object.keys(kindsOfValues).filter((name) => one[name] !== undefined);
  const why = "exactly one value must be specified";
  return [
    ...ofAttribute(one, at),
    ...(given.length === 1 ? none : [invalidValue(at, given.length === 0 ? "" : one, why)]),
  ];
};

const singleCapacity = fields({
  requestPolicy: (_, at) => [forbiddenValue(at, "allowMultipleAllocations must be true")],
});

const capacity = (isShared: boolean): Rule =>
  all(keysOf(attributeName), eachValue(isShared ? capacityPolicy : singleCapacity));
const shared = capacity(true);
const single = capacity(false);

const nodeName = (emptyWhy: string): Rule => {
  const rule = named(dnsSubdomain);
  return (value, at) => (value === "" ? [invalidValue(at, value, emptyWhy)] : rule(value, at));
};

interface Place {
  where: Record<string, Rule>;
  why: string;
  /** Beside `why`, where several are told. */
  severalWhy: string;
}

/** Exactly one way to say on which nodes devices are. */
const oneOfPlaces =
  ({ where, why, severalWhy }: Place): Rule =>
  (one, at) => {
    const set = Object.keys(where).filter((name) => one[name] !== undefined && one[name] !== "");
    const said = set.filter((name) => one[name] !== false).map((name) => `\`${name}\``);
    if (said.length === 1) return none;
    return said.length === 0
      ? [required(at, why)]
      : [invalidValue(at, `{${said.join(", ")}}`, why + severalWhy)];
  };

const ofSlice: Place = {
  where: {
    nodeName: nodeName("must be either unset or set to a non-empty string"),
    nodeSelector: (selector, at) => {
      const { nodeSelectorTerms: terms = [] } = selector;
      const field = `${at}.nodeSelectorTerms`;
      return [
        ...nodeSelectorErrors(selector, at),
        ...(terms.length === 1
          ? none
          : [invalidValue(field, terms, "must have exactly one node selector term")]),
      ];
    },
    allNodes: isTrueOrAbsent,
    perDeviceNodeSelection: isTrueOrAbsent,
  },
  why: "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required",
  severalWhy: ", but multiple fields are set",
};

const ofDevice: Place = {
  where: {
    nodeName: nodeName("must not be empty"),
    nodeSelector: nodeSelectorErrors,
    allNodes: isTrueOrAbsent,
  },
  why:
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true " +
    "in the ResourceSlice spec",
  severalWhy: "",
};

const elsewhereWhy =
  "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the " +
  "ResourceSlice spec";

const devicePlace = (isPerDevice: boolean): Rule =>
  isPerDevice
    ? all(fields(ofDevice.where), oneOfPlaces(ofDevice))
    : (device, at) =>
        Object.keys(ofDevice.where).some((name) => device[name] !== undefined)
          ? [invalidValue(at, null, elsewhereWhy)]
          : none;

function sizeErrors({ attributes = {}, capacity: of = {} }: any, at: string): Errors {
  const names = Object.keys(attributes).length + Object.keys(of).length;
  const values = Object.keys(attributes).length;
  const tell = (count: number, max: number, what: string) =>
    count > max
      ? [invalidValue(at, count, `the total number of ${what} must not exceed ${max}`)]
      : none;
  return [
    ...tell(names, namesMax, "attributes and capacities"),
    ...tell(values, valuesMax, "attribute values"),
  ];
}

const native = new Set(["cpu", "memory", "ephemeral-storage"]);

/** What a device takes of what its node has. */
const mappings =
  (device: any): Rule =>
  (map: Record<string, any>, at) =>
    Object.entries(map).flatMap(([name, mapping]): Errors => {
      const field = `${at}[${name}]`;
      const { allocationMultiplier: multiplier, capacityKey: key } = mapping;
      const known = native.has(name) || name.startsWith("hugepages-");
      const wrongName = known
        ? none
        : [invalidValue(field, name, "must be a node allocatable resource name")];
      if (multiplier === undefined && key === undefined) {
        const why = "at least one of allocationMultiplier or capacityKey must be set";
        return [...wrongName, invalidValue(field, "", why)];
      }
      const keyAt = `${field}.capacityKey`;
      return [
        ...wrongName,
        ...(multiplier !== undefined && valueOf(multiplier) <= 0
          ? [invalidValue(`${field}.allocationMultiplier`, multiplier, "must be positive")]
          : none),
        ...(key === ""
          ? [invalidValue(keyAt, "", "capacityKey must not be an empty string")]
          : none),
        ...(key && device.capacity?.[key] === undefined ? [notFoundValue(keyAt, key)] : none),
      ];
    });

/** Pods are bound without waiting for a device to be made ready, so one that needs it must not be chosen. */
const notWaited: Rule = (_, at) => [forbiddenValue(at, "binding conditions are not supported")];

const ofEach = fields({
  bindingConditions: notWaited,
  bindingFailureConditions: notWaited,
  bindsToNode: notWaited,
  name: deviceName,
  attributes: all(keysOf(attributeName), eachValue(attribute)),
  taints: atMost(taintsMax, each(taint)),
  consumesCounters: atMost(
    consumptionsMax,
    all(
      each(consumption),
      unique((one) => one.counterSet),
    ),
  ),
});

const deviceRule = (isPerDevice: boolean): Rule => {
  const place = devicePlace(isPerDevice);
  return (device, at) => [
    ...sizeErrors(device, at),
    ...ofEach(device, at),
    ...(device.capacity
      ? (device.allowMultipleAllocations ? shared : single)(device.capacity, `${at}.capacity`)
      : none),
    ...place(device, at),
    ...(device.nodeAllocatableResourceMappings
      ? mappings(device)(
          device.nodeAllocatableResourceMappings,
          `${at}.nodeAllocatableResourceMappings`,
        )
      : none),
  ];
};

const isRich = (devices: any[]) =>
  devices.some(({ taints = [], consumesCounters = [] }) => taints.length + consumesCounters.length);

const sliceRule = (isPerDevice: boolean, isOfRich: boolean): Rule => {
  const max = isOfRich ? richDevicesMax : devicesMax;
  return fields({
    driver: driverName,
    pool: always(
      fields({
        name: poolName,
        resourceSliceCount: orZero(holds((value) => value > 0, "must be greater than zero")),
        generation: holds((value) => value >= 0, "must be greater than or equal to zero"),
      }),
    ),
    ...ofSlice.where,
    devices: atMost(
      max,
      all(
        each(deviceRule(isPerDevice)),
        unique(({ name }) => name),
      ),
    ),
    sharedCounters: atMost(
      counterSetsMax,
      all(
        each(counterSet),
        unique(({ name }) => name),
      ),
    ),
  });
};

const bothWhy = "only one of `sharedCounters` or `devices` is allowed";

export function resourceSliceErrors({ object, old }: Change): Errors {
  const { spec } = object;
  const rule = sliceRule(spec.perDeviceNodeSelection === true, isRich(spec.devices ?? []));
  const kept = (path: string, now: unknown, before: unknown) =>
    now === before ? none : [invalidValue(`spec.${path}`, now, "field is immutable")];
  return [
    ...rule(spec, "spec"),
    ...oneOfPlaces(ofSlice)(spec, "spec"),
    ...(spec.sharedCounters && spec.devices ? [invalidValue("spec", "", bothWhy)] : none),
    ...(old
      ? [
          ...kept("pool.name", spec.pool?.name, old.spec.pool?.name),
          ...kept("driver", spec.driver, old.spec.driver),
          ...kept("nodeName", spec.nodeName, old.spec.nodeName),
        ]
      : none),
  ];
}
