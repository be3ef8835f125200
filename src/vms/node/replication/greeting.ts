// Whether somebody serves a copy just now: a server of NBD speaks first.
import { connect } from "node:net";
import type { Clock } from "../../../lib/clock.ts";
import { replicaPort } from "../../replication/replica-pod.ts";

const greetingMsMax = 1500;
const greetingTries = 3;
const greeting = "NBDMAGIC";
/** Whether whoever serves the copy says something. */
function greets(host: string, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: replicaPort });
    const end = (is: boolean) => {
      cancel();
      socket.destroy();
      resolve(is);
    };
    const cancel = clock.after(greetingMsMax, () => end(false));
    socket.once("data", (chunk) => end(chunk.toString("latin1").startsWith(greeting)));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
  });
}

/** `host`: "" where none is known. */
export async function isThere(host: string, clock: Clock): Promise<boolean> {
  if (host === "") return false;
  for (let tries = 0; tries < greetingTries; tries++) {
    if (await greets(host, clock)) return true;
  }
  return false;
}
