// What every protocol that carries exec and attach is asked for, and what it gives.
import type { Streams } from "../../lib/node-connection.ts";

/** Which streams the caller wants. */
export interface CommandStreams {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

export interface CommandTransport {
  streams: Streams;
  /** Tells the client how it ended, and closes. */
  finish(status: object): Promise<void>;
}
