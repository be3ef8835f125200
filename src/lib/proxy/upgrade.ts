// An upgraded connection, passed on: its head as HTTP/1.1 writes it, then bytes both ways.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { endToEnd } from "./headers.ts";
import type { Upgraded } from "./forward.ts";

/** The head of an answer in the form it has on an HTTP/1.1 connection. */
export function headOf(
  answer: IncomingMessage,
  headers: Record<string, string | string[]>,
): string {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${one}\r\n`),
  );
  return `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${lines.join("")}\r\n`;
}

/** Two connections as one: what ends or breaks on one side does on the other. */
export function joinStreams(one: Duplex, other: Duplex) {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on("error", () => {});
    from.on("close", () => to.destroy());
    from.pipe(to);
  }
}

/** Tells the caller on `socket` that it has its upgrade, and joins it with the other server. */
export function passUpgrade(
  { answer, socket: other, head: said }: Upgraded,
  socket: Duplex,
  head: Buffer,
) {
  const upgraded = { connection: "Upgrade", upgrade: answer.headers.upgrade ?? "" };
  socket.write(headOf(answer, { ...endToEnd(answer.headers), ...upgraded }));
  if (said.length > 0) socket.write(said);
  if (head.length > 0) other.write(head);
  joinStreams(socket, other);
}
