// What may be said of a claim: what was given to it, who uses it, and how the devices are.
import { jsonEqual } from "../../lib/json.ts";
import { canonicalAddress, isAddress, isCidr } from "../../lib/ip-range.ts";
import { conditionsRule } from "../condition-rules.ts";
import { forbiddenValue, invalidValue } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import {
  all,
  atMost,
  each,
  fields,
  needed,
  none,
  oneOf,
  orEmpty,
  tooLong,
  unique,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { nodeSelectorErrors } from "../selector-validation.ts";
import {
  claimSpecErrors,
  requestNames,
  requestReference,
  requestReferences,
} from "./claim-validation.ts";
import {
  bindingConditions,
  configuration,
  configurationsMax,
  deviceName,
  driverName,
  poolName,
  rawObject,
} from "./device-rules.ts";

const consumersMax = 256;
const resultsMax = 32;
const conditionsMax = 8;
const dataCharsMax = 10 * 1024;
const interfaceCharsMax = 256;
const hardwareCharsMax = 128;
const addressesMax = 16;

const uidWhy =
  "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters";
const uid: Rule = (text: string, at) =>
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
    ? none
    : [invalidValue(at, text, uidWhy)];

const idOf = ({ driver, pool, device, shareID }: any) =>
  [driver, pool, device, ...(shareID ? [shareID] : [])].join("/");

function allocation(known: ReadonlySet<string>): Rule {
  const result = all(
    fields({
      request: orEmpty(requestReference(known)),
      driver: driverName,
      pool: poolName,
      device: deviceName,
      shareID: uid,
    }),
    bindingConditions,
  );
  const config = all(
    fields({ source: needed(oneOf("FromClaim", "FromClass")), requests: requestReferences(known) }),
    configuration,
  );
  return fields({
    devices: fields({
      results: atMost(resultsMax, each(result)),
      config: atMost(2 * configurationsMax, each(config)),
    }),
    nodeSelector: nodeSelectorErrors,
  });
}

const consumer = fields({ resource: needed(), name: needed(), uid: needed() });
const consumers = atMost(
  consumersMax,
  all(
    each(consumer),
    unique((one) => one.uid),
  ),
);

const addressWhy = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)";
const interfaceAddress: Rule = (text: string, at) => {
  const [address = "", bits = ""] = text.split("/");
  if (!isAddress(address) || !isCidr(text)) return [invalidValue(at, text, addressWhy)];
  const canonical = `${canonicalAddress(address)}/${Number(bits)}`;
  return canonical === text
    ? none
    : [invalidValue(at, text, `must be in canonical form (${JSON.stringify(canonical)})`)];
};

const atMostBytes =
  (max: number): Rule =>
  (text: string, at) =>
    Buffer.byteLength(text) > max ? [tooLong(at, max)] : none;

const device = fields({
  driver: driverName,
  pool: poolName,
  device: deviceName,
  shareID: uid,
  conditions: atMost(conditionsMax, conditionsRule),
  data: rawObject(dataCharsMax),
  networkData: fields({
    interfaceName: atMostBytes(interfaceCharsMax),
    hardwareAddress: atMostBytes(hardwareCharsMax),
    ips: atMost(addressesMax, all(each(interfaceAddress), unique())),
  }),
});

/** Only what was given to the claim can be told of. */
const devices = (given: any): Rule => {
  const ids = new Set((given?.devices?.results ?? []).map(idOf));
  const own: Rule = (one, at) =>
    ids.has(idOf(one))
      ? none
      : [invalidValue(at, idOf(one), "must be an allocated device in the claim")];
  return all(each(all(device, own)), unique(idOf));
};

const unallocatedWhy = "may not be specified when `allocated` is not set";
const goingWhy =
  "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set";

function reservationErrors(status: any, old: any, isGoing: boolean): Errors {
  const { reservedFor = [] } = status;
  if (reservedFor.length === 0) return none;
  const refuse = (why: string) => [forbiddenValue("status.reservedFor", why)];
  if (!status.allocation) return refuse(unallocatedWhy);
  const known = new Set((old.reservedFor ?? []).map((one: unknown) => JSON.stringify(one)));
  const isNew = reservedFor.some((one: unknown) => !known.has(JSON.stringify(one)));
  return isGoing && isNew ? refuse(goingWhy) : none;
}

function allocationErrors(status: any, old: any, known: ReadonlySet<string>): Errors {
  if (!status.allocation) return none;
  const at = "status.allocation";
  if (!old.allocation) return allocation(known)(status.allocation, at);
  return jsonEqual(status.allocation, old.allocation)
    ? none
    : [invalidValue(at, status.allocation, "field is immutable")];
}

function statusErrors({ object, old }: Change): Errors {
  const { status = {}, spec, metadata } = object;
  const before = old?.status ?? {};
  return [
    ...fields({ reservedFor: consumers, devices: devices(status.allocation) })(status, "status"),
    ...reservationErrors(status, before, metadata.deletionTimestamp !== undefined),
    ...allocationErrors(status, before, requestNames(spec)),
  ];
}

/** What is asked for never changes; what is told of it is judged by itself. */
export function resourceClaimErrors(change: Change): Errors {
  if (change.subresource === "status") return statusErrors(change);
  return change.old ? none : claimSpecErrors(change.object.spec, "spec");
}
