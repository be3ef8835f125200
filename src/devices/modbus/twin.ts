// Values of a Modbus unit: coils and registers, as numbers of several kinds.
import { PropertyRefused } from "../twins/channel.ts";
import type { Access, TwinChannel } from "../twins/channel.ts";
import type { Device } from "../discovery/handler.ts";
import { ModbusClient, ModbusException, readValues, writeCoil, writeRegisters } from "./client.ts";
import type { Table } from "./client.ts";

const sizes = { bool: 1, int16: 1, uint16: 1, int32: 2, uint32: 2, float32: 2 } as const;
type Type = keyof typeof sizes;
const tables: Table[] = ["coil", "discrete", "holding", "input"];

interface Register {
  table: Table;
  address: number;
  type: Type;
  scale: number;
}

/** `{table: holding, address: 4, type: int16, scale: 0.1}` */
export function registerOf(access: Access): Register {
  const { table = "holding", address, type, scale = 1 } = access;
  const isBits = table === "coil" || table === "discrete";
  const kind = type ?? (isBits ? "bool" : "uint16");
  if (!tables.includes(table))
    throw new PropertyRefused(`access.table: one of ${tables.join(", ")}`);
  if (!Number.isInteger(address) || address < 0 || address > 65_535) {
    throw new PropertyRefused("access.address: a number from 0 to 65535");
  }
  if (!Object.hasOwn(sizes, kind) || isBits !== (kind === "bool")) {
    throw new PropertyRefused(`access.type: ${String(kind)} does not go with ${table}`);
  }
  if (typeof scale !== "number" || scale === 0) throw new PropertyRefused("access.scale: a number");
  return { table, address, type: kind, scale };
}

export function decode(values: number[], { type, scale }: Register): string {
  if (type === "bool") return values[0] === 1 ? "true" : "false";
  const bytes = Buffer.alloc(4);
  for (const [i, value] of values.entries()) bytes.writeUInt16BE(value, 2 * i);
  const raw = {
    int16: () => bytes.readInt16BE(0),
    uint16: () => bytes.readUInt16BE(0),
    int32: () => bytes.readInt32BE(0),
    uint32: () => bytes.readUInt32BE(0),
    float32: () => bytes.readFloatBE(0),
  }[type]();
  return String(Number((raw * scale).toPrecision(9)));
}

export function encode(text: string, { type, scale }: Register): number[] {
  const value = Number(text) / scale;
  const bytes = Buffer.alloc(4);
  try {
    if (text.trim() === "" || !Number.isFinite(value)) throw new RangeError("no number");
    if (type === "float32") bytes.writeFloatBE(value);
    else if (type === "int32") bytes.writeInt32BE(Math.round(value));
    else if (type === "uint32") bytes.writeUInt32BE(Math.round(value));
    else if (type === "int16") bytes.writeInt16BE(Math.round(value));
    else bytes.writeUInt16BE(Math.round(value));
  } catch {
    throw new PropertyRefused(`${JSON.stringify(text)} does not fit into ${type}`);
  }
  return Array.from({ length: sizes[type] }, (_, i) => bytes.readUInt16BE(2 * i));
}

const truths = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);

/** What the unit refuses is about one property. */
const told = (error: unknown) => {
  throw error instanceof ModbusException ? new PropertyRefused(error.message) : error;
};

export async function openModbusTwin(
  { properties }: Device,
  signal: AbortSignal,
): Promise<TwinChannel> {
  const endpoint = { host: properties["MODBUS_ADDRESS"]!, port: Number(properties["MODBUS_PORT"]) };
  const unit = Number(properties["MODBUS_UNIT"]);
  const client = await ModbusClient.open(endpoint, signal);
  return {
    async read(access) {
      const register = registerOf(access);
      const { table, address, type } = register;
      const asked = { unit, table, address, count: sizes[type] };
      return decode(await readValues(client, asked).catch(told), register);
    },
    async write(access, value) {
      const register = registerOf(access);
      const { table, address } = register;
      if (table === "coil") {
        const isOn = truths.get(value);
        if (isOn === undefined)
          throw new PropertyRefused(`${JSON.stringify(value)} is not true or false`);
        await writeCoil(client, { unit, address, isOn }).catch(told);
      } else if (table === "holding") {
        await writeRegisters(client, { unit, address, values: encode(value, register) }).catch(
          told,
        );
      } else throw new PropertyRefused(`access.table: ${table} cannot be written`);
    },
    close: () => client.close(),
  };
}
