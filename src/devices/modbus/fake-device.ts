// A Modbus/TCP device for tests: a hundred holding registers, a hundred coils, and a name.
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { Scope } from "../../lib/scope.ts";

export interface FakeModbusDevice {
  port: number;
  registers: Uint16Array;
  coils: Uint8Array;
  stop(): Promise<void>;
}

const names = ["Kerb Works", "Pump", "1.2"];

function identification(): Buffer {
  const objects = names.map((name, id) => Buffer.from([id, name.length, ...Buffer.from(name)]));
  return Buffer.concat([Buffer.from([43, 14, 1, 1, 0, 0, names.length]), ...objects]);
}

function answer(pdu: Buffer, { registers, coils }: FakeModbusDevice): Buffer {
  const [fn = 0] = pdu;
  if (fn === 43) return identification();
  const [address, value] = [pdu.readUInt16BE(1), pdu.readUInt16BE(3)];
  if (address >= registers.length) return Buffer.from([fn | 0x80, 2]);
  if (fn === 3 || fn === 4) {
    const data = Buffer.alloc(2 + 2 * value);
    data.writeUInt8(fn, 0);
    data.writeUInt8(2 * value, 1);
    for (let i = 0; i < value; i++) data.writeUInt16BE(registers[address + i]!, 2 + 2 * i);
    return data;
  }
  if (fn === 1 || fn === 2) return Buffer.from([fn, 1, coils[address]!]);
  if (fn === 5) {
    coils[address] = value === 0xff00 ? 1 : 0;
    return pdu;
  }
  if (fn !== 16) return Buffer.from([fn | 0x80, 1]);
  for (let i = 0; i < value; i++) registers[address + i] = pdu.readUInt16BE(6 + 2 * i);
  return pdu.subarray(0, 5);
}

export async function startFakeModbusDevice(scope: Scope, port = 0): Promise<FakeModbusDevice> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (frame: Buffer) => {
      const body = answer(frame.subarray(7), device);
      const head = Buffer.from(frame.subarray(0, 7));
      head.writeUInt16BE(body.length + 1, 4);
      socket.write(Buffer.concat([head, body]));
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const device: FakeModbusDevice = {
    port: (server.address() as AddressInfo).port,
    registers: new Uint16Array(100),
    coils: new Uint8Array(100),
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
  scope.defer(() => device.stop());
  return device;
}
