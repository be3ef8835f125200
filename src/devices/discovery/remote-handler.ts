// A discovery handler behind a socket or an address, as it registered.
import { GrpcConnection, isGrpc } from "../../lib/grpc.ts";
import { discovery } from "./discovery-protocol.ts";
import { DetailsError } from "./handler.ts";
import type { Device, DiscoveryHandler } from "./handler.ts";

export interface Registered {
  name: string;
  endpoint: string;
  endpointType: "UDS" | "NETWORK";
  shared: boolean;
}

const text = (value: unknown) => String(value ?? "");

const paths = (one: any) => ({
  containerPath: text(one.container_path),
  hostPath: text(one.host_path),
});

const deviceOf = ({ id, properties, mounts, device_specs: specs }: any): Device => ({
  id,
  properties,
  mounts: mounts.map((one: any) => ({ ...paths(one), readOnly: one.read_only === true })),
  nodes: specs.map((one: any) => ({ ...paths(one), permissions: text(one.permissions) })),
});

/** `unix:///path` for a socket; what precedes host and port of a network address goes. */
const targetOf = ({ endpoint, endpointType }: Registered) =>
  endpointType === "UDS"
    ? `unix://${endpoint.replace(/^unix:(\/\/)?/, "")}`
    : endpoint.replace(/^https?:\/\//, "").replace(/\/$/, "");

/** `begin` is told of every stream; what it gives is called when its endpoint is found dead. */
export function remoteHandler(registered: Registered, begin: () => () => void): DiscoveryHandler {
  return {
    name: registered.name,
    shared: registered.shared,
    async *discover({ details, properties, signal }) {
      const connection = new GrpcConnection(targetOf(registered));
      const closed = begin();
      const sent = Object.fromEntries(
        [...properties].map(([name, vec]) => [name, vec === undefined ? {} : { vec }]),
      );
      const request = { discovery_details: details, discovery_properties: sent };
      try {
        const service = connection.service(discovery.path, discovery.types, discovery.names);
        for await (const { devices } of service.stream("Discover", request, signal)) {
          yield devices.map(deviceOf);
        }
      } catch (error) {
        const { message, details: said = message } = error as Error & { details?: string };
        if (isGrpc(error, "INVALID_ARGUMENT")) throw new DetailsError(said);
        if (isGrpc(error, "UNAVAILABLE")) closed();
        throw error;
      } finally {
        connection.close();
      }
    },
  };
}
