// Services that announce themselves in the local network (DNS-SD over multicast DNS, RFC 6762 and 6763): one
// device per instance of a service.
import packet from "dns-packet";
import type { Answer } from "dns-packet";
import { readDetails, textList } from "../discovery/details.ts";
import { filterOf, passes } from "../discovery/filter.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device, DiscoveryHandler } from "../discovery/handler.ts";
import { everyMsIn, poll } from "../watch/poll.ts";
import { AnswerError } from "../network/answer-error.ts";
import { Speakers } from "../network/speakers.ts";
import { askUdp } from "../network/udp.ts";

const group = { host: "224.0.0.251", port: 5353 };
const waitMs = 1000;
const missesMax = 3;
const servicesMax = 64;
const devicesMax = 4096;
const serviceType = /^_[A-Za-z0-9-]{1,15}\._(tcp|udp)(\.local)?$/;

function wishesIn(text: string) {
  const details = readDetails(text, ["services", "names", "intervalSeconds"]);
  const services = textList(details, "services");
  const odd = services.find((one) => !serviceType.test(one));
  if (odd !== undefined || services.length === 0 || services.length > servicesMax) {
    const said = odd === undefined ? "Required value" : `${JSON.stringify(odd)} is no _name._tcp`;
    throw new DetailsError(`discoveryDetails.services: ${said}`);
  }
  const wanted = services.map((one) => one.replace(/(\.local)?$/, ".local").toLowerCase());
  return {
    services: [...new Set(wanted)],
    names: filterOf(details, "names"),
    everyMs: everyMsIn(details),
  };
}

/** TXT entries as variables: `path=/x` is `MDNS_TXT_PATH`. */
function texts(data: unknown): Record<string, string> {
  const parts = (Array.isArray(data) ? data : [data]).map((one) => String(one ?? ""));
  return Object.fromEntries(
    parts.flatMap((part) => {
      const [, key = "", value = ""] = /^([^=]+)=([\s\S]*)$/.exec(part) ?? [];
      return key && !value.includes("\0")
        ? [[`MDNS_TXT_${key.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`, value]]
        : [];
    }),
  );
}

const keyOf = (name: string, type: string) => `${type} ${name.toLowerCase()}`;

function decoded(bytes: Buffer) {
  try {
    return packet.decode(bytes);
  } catch (error) {
    throw new AnswerError((error as Error).message);
  }
}

/** The instances of each service that a message speaks of. Throws AnswerError for what is no message. Pure. */
export function instancesIn(bytes: Buffer, services: string[], from: string): Device[] {
  const { answers = [], additionals = [] } = decoded(bytes);
  const records: Answer[] = [...answers, ...additionals];
  const first = new Map<string, any>();
  for (const one of records.toReversed()) first.set(keyOf(one.name, one.type), one);
  const named = (name: string, type: string) => first.get(keyOf(name, type))?.data;
  return records.flatMap((pointer) => {
    const service = services.find((one) => one === pointer.name.toLowerCase());
    if (pointer.type !== "PTR" || service === undefined) return [];
    const name = String(pointer.data);
    const { target = "", port = 0 } = named(name, "SRV") ?? {};
    const address = named(target, "A") ?? named(target, "AAAA") ?? from;
    const properties = {
      ...texts(named(name, "TXT")),
      MDNS_NAME: name.slice(0, -service.length - 1),
      MDNS_SERVICE: service,
      MDNS_HOST: target,
      MDNS_PORT: String(port),
      MDNS_ADDRESS: String(address),
    };
    return [{ id: name, properties, mounts: [], nodes: [] }];
  });
}

export const mdns: DiscoveryHandler = {
  name: "mdns",
  shared: true,
  check: wishesIn,
  async *discover({ details, signal }, { clock, probeTo }) {
    const { services, names, everyMs } = wishesIn(details);
    const speakers = new Speakers({ devicesMax, missesMax });
    const look = async () => {
      const questions = services.map((name) => ({ type: "PTR" as const, name }));
      await askUdp({
        message: packet.encode({ type: "query", id: 0, questions }),
        to: [probeTo ?? group],
        isGroup: probeTo === undefined,
        answer: (bytes, { address }) => {
          for (const device of instancesIn(bytes, services, address)) {
            if (passes(names, [device.properties["MDNS_NAME"]!])) speakers.hear(device, address);
          }
        },
        ...{ waitMs, clock, signal },
      });
      return speakers.endRound();
    };
    yield* poll(look, { clock, signal, everyMs, missesMax });
  },
};
