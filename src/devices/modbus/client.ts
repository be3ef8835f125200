// Modbus/TCP: questions to one unit behind one address, one after the other.
import type { Socket } from "node:net";
import type { Endpoint } from "../network/addresses.ts";
import { reading } from "../network/answer-error.ts";
import { frames, inTime, openTcp } from "../network/tcp.ts";

const frameBytesMax = 260;
const answerMsMax = 2000;

const exceptions: Record<number, string> = {
  1: "the function is not known there",
  2: "there is no such address",
  3: "the value is not accepted",
  4: "the device failed",
  6: "the device is busy",
  11: "the unit does not answer",
};

/** The device answered, with a refusal. */
export class ModbusException extends Error {
  constructor(code: number) {
    super(exceptions[code] ?? `exception ${code}`);
    this.name = "ModbusException";
  }
}

/** MBAP: transaction, protocol 0, length of what follows. */
const frameLength = (bytes: Buffer) => (bytes.length < 6 ? undefined : 6 + bytes.readUInt16BE(4));

export class ModbusClient {
  readonly #socket: Socket;
  readonly #answers: AsyncGenerator<Buffer>;
  #transaction = 0;
  #turn: Promise<unknown> = Promise.resolve();

  static async open(endpoint: Endpoint, signal: AbortSignal) {
    return new ModbusClient(await openTcp(endpoint, signal));
  }

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#answers = frames(socket, frameLength, frameBytesMax);
  }

  close() {
    this.#socket.destroy();
  }

  /** The answer's bytes behind the function. Throws ModbusException, and Error when nobody answers. */
  ask(unit: number, pdu: Buffer): Promise<Buffer> {
    const turn = this.#turn.catch(() => {}).then(() => this.#ask(unit, pdu));
    this.#turn = turn;
    return turn;
  }

  async #ask(unit: number, pdu: Buffer): Promise<Buffer> {
    const transaction = (this.#transaction = (this.#transaction + 1) & 0xffff);
    const head = Buffer.alloc(7);
    head.writeUInt16BE(transaction, 0);
    head.writeUInt16BE(pdu.length + 1, 4);
    head.writeUInt8(unit, 6);
    this.#socket.write(Buffer.concat([head, pdu]));
    return inTime(this.#socket, answerMsMax, () => this.#answerTo(transaction, pdu[0]!));
  }

  async #answerTo(transaction: number, fn: number): Promise<Buffer> {
    for (;;) {
      const { value } = await this.#answers.next();
      if (!value) throw new Error("the connection ended");
      if (value.length < 9 || value.readUInt16BE(0) !== transaction) continue;
      const said = value.readUInt8(7);
      if (said === (fn | 0x80)) throw new ModbusException(value.readUInt8(8));
      if (said === fn) return value.subarray(8);
    }
  }
}

export type Table = "coil" | "discrete" | "holding" | "input";

const readFunctions: Record<Table, number> = { coil: 1, discrete: 2, holding: 3, input: 4 };

const question = (fn: number, address: number, value: number) => {
  const pdu = Buffer.from([fn, 0, 0, 0, 0]);
  pdu.writeUInt16BE(address, 1);
  pdu.writeUInt16BE(value, 3);
  return pdu;
};

/** Registers as they are; coils as 0 and 1. */
export async function readValues(
  client: ModbusClient,
  { unit, table, address, count }: { unit: number; table: Table; address: number; count: number },
): Promise<number[]> {
  const answer = await client.ask(unit, question(readFunctions[table], address, count));
  return valuesIn(answer, { table, count });
}

/** Of an answer's bytes behind the function. Throws AnswerError. Pure. */
export function valuesIn(answer: Buffer, { table, count }: { table: Table; count: number }) {
  const isBits = table === "coil" || table === "discrete";
  const valueAt = (i: number) =>
    isBits ? (answer.readUInt8(1 + (i >> 3)) >> (i & 7)) & 1 : answer.readUInt16BE(1 + 2 * i);
  return reading(() => Array.from({ length: count }, (_, i) => valueAt(i)));
}

export async function writeRegisters(
  client: ModbusClient,
  { unit, address, values }: { unit: number; address: number; values: number[] },
) {
  const data = Buffer.alloc(values.length * 2);
  for (const [i, value] of values.entries()) data.writeUInt16BE(value, 2 * i);
  const head = question(16, address, values.length);
  await client.ask(unit, Buffer.concat([head, Buffer.from([data.length]), data]));
}

export const writeCoil = (
  client: ModbusClient,
  { unit, address, isOn }: { unit: number; address: number; isOn: boolean },
) => client.ask(unit, question(5, address, isOn ? 0xff00 : 0));

/** Vendor, product and revision, as far as the device says (function 43, MEI type 14). */
export const identify = async (client: ModbusClient, unit: number): Promise<string[]> =>
  namesIn(await client.ask(unit, Buffer.from([43, 14, 1, 0])));

/** Throws AnswerError. Pure. */
export function namesIn(answer: Buffer): string[] {
  return reading(() => {
    const names = ["", "", ""];
    let at = 6;
    for (let left = answer.readUInt8(5); left > 0; left--) {
      const [id, length] = [answer.readUInt8(at), answer.readUInt8(at + 1)];
      if (id < names.length) names[id] = answer.toString("latin1", at + 2, at + 2 + length);
      at += 2 + length;
    }
    return names;
  });
}
