// Akri's discovery protocol (gRPC package v0): who registers where, and what is asked and answered.
const field = (type: string, id: number, more: object = {}) => ({ type, id, ...more });
const repeated = { rule: "repeated" } as const;

const types = {
  v0: {
    nested: {
      Empty: { fields: {} },
      RegisterDiscoveryHandlerRequest: {
        fields: {
          name: field("string", 1),
          endpoint: field("string", 2),
          endpoint_type: field("EndpointType", 3),
          shared: field("bool", 4),
        },
        nested: { EndpointType: { values: { UDS: 0, NETWORK: 1 } } },
      },
      ByteData: {
        oneofs: { _vec: { oneof: ["vec"] } },
        fields: { vec: field("bytes", 1, { options: { proto3_optional: true } }) },
      },
      DiscoverRequest: {
        fields: {
          discovery_details: field("string", 1),
          discovery_properties: field("ByteData", 2, { keyType: "string" }),
        },
      },
      DiscoverResponse: { fields: { devices: field("Device", 1, repeated) } },
      Device: {
        fields: {
          id: field("string", 1),
          properties: field("string", 2, { keyType: "string" }),
          mounts: field("Mount", 3, repeated),
          device_specs: field("DeviceSpec", 4, repeated),
        },
      },
      Mount: {
        fields: {
          container_path: field("string", 1),
          host_path: field("string", 2),
          read_only: field("bool", 3),
        },
      },
      DeviceSpec: {
        fields: {
          container_path: field("string", 1),
          host_path: field("string", 2),
          permissions: field("string", 3),
        },
      },
    },
  },
};

export const registration = { path: "/v0.Registration", types };

export const discovery = {
  path: "/v0.DiscoveryHandler",
  types,
  names: { Discover: ["v0.DiscoverRequest", "v0.DiscoverResponse"] } as Record<
    string,
    [string, string]
  >,
};

export const registrationSocket = "agent-registration.sock";
