// Attach: a view of a running container's own streams.
import { StatusError } from "../lib/status-error.ts";
import type { Streams } from "../lib/node-connection.ts";
import type { GrpcService } from "./grpc.ts";

export async function attachToLog(
  _runtime: GrpcService,
  _id: string,
  _tty: boolean,
  _streams: Streams,
): Promise<void> {
  throw new StatusError(
    "NotImplemented",
    "attach to a container is not supported by this runtime yet",
  );
}
