// Another machine that has a disk image: sends as many bytes as its argument says, none of them a hole, out of its
// memory. It is a process of its own and touches no disk, since the machine that it stands for would share neither.
// Prints its port.
import { randomFillSync } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const [bytes, host] = [Number(process.argv[2]), process.argv[3]];
const memory = randomFillSync(Buffer.allocUnsafeSlow(64 * 2 ** 20));
const pieceBytes = 2 ** 20;

const server = createServer((_, response) => {
  response.writeHead(200, { "content-length": bytes });
  let sent = 0;
  const send = () => {
    while (sent < bytes) {
      const at = sent % memory.length;
      sent += pieceBytes;
      if (!response.write(memory.subarray(at, at + pieceBytes))) return;
    }
    response.end();
  };
  response.on("drain", send);
  send();
}).listen(0, host, () => console.log((server.address() as AddressInfo).port));
