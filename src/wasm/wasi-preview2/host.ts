// WASI preview 2 of our own, as the JavaScript that jco makes of a component takes it: values for results,
// classes for resources. Files are those of preview 1, so both have one wall.
import type { Preopen } from "../wasi-preview1/guest.ts";
import { cliInterfaces } from "./cli.ts";
import type { CliOptions } from "./cli.ts";
import { clockInterfaces, randomInterfaces } from "./clocks.ts";
import type { WorldOptions } from "./clocks.ts";
import { filesystemInterfaces } from "./filesystem.ts";
import { FutureTrailers, IncomingBody, OutgoingBody } from "./http-bodies.ts";
import { Fields } from "./http-fields.ts";
import {
  IncomingRequest,
  IncomingResponse,
  OutgoingRequest,
  OutgoingResponse,
  ResponseOutparam,
} from "./http-messages.ts";
import { FutureIncomingResponse, RequestOptions, outgoingHandler } from "./http-outgoing.ts";
import { pollInterface } from "./poll.ts";
import { socketInterfaces } from "./sockets.ts";
import { InputStream, IoError, OutputStream } from "./streams.ts";

export interface Preview2Options extends CliOptions, WorldOptions {
  preopens: Preopen[];
}

/** By interface, without its version. */
export function preview2(options: Preview2Options): Record<string, Record<string, unknown>> {
  return {
    ...cliInterfaces(options),
    ...clockInterfaces(options),
    ...randomInterfaces(options),
    ...filesystemInterfaces(options.preopens, options.now),
    ...socketInterfaces,
    "wasi:io/error": { Error: IoError },
    "wasi:io/poll": pollInterface,
    "wasi:io/streams": { InputStream, OutputStream },
    "wasi:http/types": {
      Fields,
      FutureIncomingResponse,
      FutureTrailers,
      IncomingBody,
      IncomingRequest,
      IncomingResponse,
      OutgoingBody,
      OutgoingRequest,
      OutgoingResponse,
      RequestOptions,
      ResponseOutparam,
      httpErrorCode: () => undefined,
    },
    "wasi:http/outgoing-handler": outgoingHandler,
  };
}
