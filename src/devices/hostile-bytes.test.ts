// What devices answer is believed by nobody: whatever the bytes, a parser reads them or throws the error that it
// names, and comes to an end.
import assert from "node:assert/strict";
import { test } from "node:test";
import packet from "dns-packet";
import { seededRandom } from "../lib/random.ts";
import { contentOf, linksIn } from "./coap/messages.ts";
import { AnswerError } from "./network/answer-error.ts";
import { instancesIn } from "./handlers/mdns.ts";
import { namesIn, valuesIn as registersIn } from "./modbus/client.ts";
import {
  isSubackRefusal,
  kindOf,
  packetLength,
  publishPacket,
  readConnack,
  readPuback,
  readPublication,
} from "./mqtt/packets.ts";
import { cameraAddress, probeMatches } from "./onvif/messages.ts";
import { XmlError } from "./onvif/xml.ts";
import { UaError, UaReader, UaWriter } from "./opcua/codec.ts";
import { readServer } from "./opcua/find-servers.ts";
import { readEndpoint } from "./opcua/session.ts";
import { readVariant } from "./opcua/values.ts";
import { valuesIn } from "./snmp/messages.ts";
import { PropertyRefused } from "./twins/channel.ts";
import { DetailsError } from "./discovery/handler.ts";
import { parseRule } from "./udev/rules.ts";

interface Parser {
  samples: Buffer[];
  parse: (bytes: Buffer) => unknown;
  /** What it may throw. */
  errors: (new (message: string) => Error)[];
}

const token = Buffer.from([1, 2, 3, 4]);
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const soap = (inside: string) =>
  Buffer.from(
    `<?xml version="1.0"?><e:Envelope xmlns:e="x"><e:Body>${inside}</e:Body></e:Envelope>`,
  );

const printers = packet.encode({
  type: "response",
  id: 0,
  answers: [{ type: "PTR", name: "_ipp._tcp.local", data: "one._ipp._tcp.local" }],
  additionals: [
    { type: "SRV", name: "one._ipp._tcp.local", data: { target: "one.local", port: 631 } },
    { type: "TXT", name: "one._ipp._tcp.local", data: ["rp=queue"] },
    { type: "A", name: "one.local", data: "192.168.1.7" },
  ],
});

const uaServer = new UaWriter().text("urn:a").text(undefined).u8(3).text("en").text("boiler");
uaServer.u32(0).text(undefined).text(undefined).u32(1).text("opc.tcp://boiler:4840/");
const uaEndpoint = new UaWriter().text("opc.tcp://boiler").raw(uaServer.bytes());
uaEndpoint.byteString(undefined).u32(1).text("None").u32(1).text("anybody");
uaEndpoint.u32(0).text(undefined).text(undefined).text(undefined).text(undefined).u8(0);
const ua = (read: (reader: UaReader) => unknown) => (bytes: Buffer) => read(new UaReader(bytes));

const snmpAnswer = hex(
  "3034 020101 0406 7075626c6963 a227 020107 020100 020100 301c" +
    "300c 06082b06010201010100 0400 300c 06082b06010201010200 0500",
);

const parsers: Record<string, Parser> = {
  SNMP: { samples: [snmpAnswer], parse: (bytes) => valuesIn(bytes, 7), errors: [AnswerError] },
  CoAP: {
    samples: [Buffer.concat([hex("54450001"), token, hex("c128ff"), Buffer.from('</a>;rt="b c"')])],
    parse: (bytes) => linksIn(contentOf(bytes, token).toString()),
    errors: [AnswerError],
  },
  mDNS: {
    samples: [printers],
    parse: (bytes) => instancesIn(bytes, ["_ipp._tcp.local"], "10.0.0.1"),
    errors: [AnswerError],
  },
  "MQTT's packets": {
    samples: [
      publishPacket({ topic: "line/1", payload: Buffer.from("on"), retain: true, id: 9 }),
      hex("20020000"),
      hex("40020007"),
      hex("9003000101"),
    ],
    parse: (bytes) => {
      if ((packetLength(bytes) ?? Infinity) > bytes.length) return;
      const readers = { 2: readConnack, 3: readPublication, 4: readPuback, 9: isSubackRefusal };
      readers[kindOf(bytes) as keyof typeof readers]?.(bytes);
    },
    errors: [AnswerError],
  },
  "Modbus registers and coils": {
    samples: [hex("04 0001 0002")],
    parse: (bytes) => {
      registersIn(bytes, { table: "holding", count: 2 });
      registersIn(bytes, { table: "coil", count: 16 });
    },
    errors: [AnswerError],
  },
  "Modbus names": {
    samples: [hex("0e 01 01 00 00 02 00 03 616263 01 02 6465")],
    parse: namesIn,
    errors: [AnswerError],
  },
  "OPC UA servers": { samples: [uaServer.bytes()], parse: ua(readServer), errors: [UaError] },
  "OPC UA endpoints": { samples: [uaEndpoint.bytes()], parse: ua(readEndpoint), errors: [UaError] },
  "OPC UA lists": {
    samples: [new UaWriter().u32(2).text("a").text("b").bytes()],
    parse: ua((reader) => reader.list(() => reader.text())),
    errors: [UaError],
  },
  "OPC UA values": {
    samples: [
      "0b0000000000003540",
      "0c0200000068c3a9",
      "1502020000006465",
      "0d0000000000000080",
    ].map(hex),
    parse: ua(readVariant),
    errors: [UaError, PropertyRefused],
  },
  "OPC UA answers": {
    samples: [Buffer.alloc(28), hex("01000101" + "00".repeat(26))],
    parse: ua((reader) => [reader.node(), reader.responseHeader(), reader.node()]),
    errors: [UaError],
  },
  "ONVIF's matches": {
    samples: [
      soap(
        "<d:ProbeMatch><a:Address>urn:uuid:1</a:Address><d:XAddrs>http://a/</d:XAddrs></d:ProbeMatch>",
      ),
    ],
    parse: (bytes) => probeMatches(bytes.toString()),
    errors: [XmlError],
  },
  "ONVIF's addresses": {
    samples: [
      soap(
        "<NetworkInterfaces><HwAddress>aa</HwAddress><IPv4><Config><Address>10.0.0.1</Address></Config></IPv4></NetworkInterfaces>",
      ),
    ],
    parse: (bytes) => cameraAddress(bytes.toString()),
    errors: [XmlError],
  },
  "udev's rules": {
    samples: [Buffer.from('KERNEL=="video[0-9]*", ATTR{name}!="x*", SUBSYSTEM=="usb"')],
    parse: (bytes) => parseRule(bytes.toString("latin1")),
    errors: [DetailsError],
  },
};

const changesEach = 1500;
const seed = 20_261_130;

/** Cut off, and with bytes changed, taken out, put in and repeated. */
function* hostile(samples: Buffer[]): Generator<Buffer> {
  const { float } = seededRandom(seed);
  const below = (n: number) => Math.floor(float() * n);
  const pick = <T>(all: readonly T[]) => all[below(all.length)]!;
  yield Buffer.alloc(0);
  for (const sample of samples) {
    for (let end = 0; end <= sample.length; end++) yield sample.subarray(0, end);
    for (let i = 0; i < changesEach; i++) {
      let bytes = Buffer.from(sample);
      for (let times = 1 + below(4); times > 0; times--) {
        const at = below(bytes.length + 1);
        const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
        const some = Buffer.alloc(1 + below(4), pick([0, 1, 0x7f, 0x80, 0xff, 60, 38, below(256)]));
        const more = pick([some, before, pick(samples)]);
        bytes = Buffer.concat(
          pick([
            [before, some, after.subarray(some.length)],
            [before, after.subarray(1 + below(8))],
            [before, more, after],
          ]),
        );
      }
      yield bytes;
    }
  }
}

for (const [name, { samples, parse, errors }] of Object.entries(parsers)) {
  test(`${name}: hostile bytes are read or refused by name`, { timeout: 60_000 }, () => {
    for (const sample of samples) assert.doesNotThrow(() => parse(sample));
    let refused = 0;
    for (const bytes of hostile(samples)) {
      try {
        parse(bytes);
      } catch (error) {
        const isNamed = errors.some((one) => error instanceof one);
        if (!isNamed) throw new Error(`${name}: ${bytes.toString("hex")}`, { cause: error });
        refused += 1;
      }
    }
    assert.ok(refused > 0, "nothing was refused");
  });
}
