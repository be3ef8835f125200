// What is used of containerd's own API besides CRI, as protobufjs data: events (to be woken at once) and
// tasks (to exec with streams). Names and numbers as in containerd's api/ (1.6).

const field = (id: number, type = "string", rule?: "repeated") => ({
  id,
  type,
  ...(rule && { rule }),
});
const any = { fields: { type_url: field(1), value: field(2, "bytes") } };

export const eventTypes = {
  SubscribeRequest: { fields: { filters: field(1, "string", "repeated") } },
  Any: any,
  Timestamp: { fields: { seconds: field(1, "int64"), nanos: field(2, "int32") } },
  Envelope: {
    fields: {
      timestamp: field(1, "Timestamp"),
      namespace: field(2),
      topic: field(3),
      event: field(4, "Any"),
    },
  },
  /** The first field of every task event is its container's id. */
  TaskEvent: { fields: { container_id: field(1) } },
  /** `id` is the container's own, or that of a command in it. */
  TaskExit: { fields: { container_id: field(1), id: field(2) } },
};

export const taskTypes = {
  Any: any,
  Empty: { fields: {} },
  ExecProcessRequest: {
    fields: {
      container_id: field(1),
      stdin: field(2),
      stdout: field(3),
      stderr: field(4),
      terminal: field(5, "bool"),
      spec: field(6, "Any"),
      exec_id: field(7),
    },
  },
  StartRequest: { fields: { container_id: field(1), exec_id: field(2) } },
  StartResponse: { fields: { pid: field(1, "uint32") } },
  WaitRequest: { fields: { container_id: field(1), exec_id: field(2) } },
  WaitResponse: { fields: { exit_status: field(1, "uint32") } },
  KillRequest: {
    fields: {
      container_id: field(1),
      exec_id: field(2),
      signal: field(3, "uint32"),
      all: field(4, "bool"),
    },
  },
  ResizePtyRequest: {
    fields: {
      container_id: field(1),
      exec_id: field(2),
      width: field(3, "uint32"),
      height: field(4, "uint32"),
    },
  },
  CloseIORequest: {
    fields: { container_id: field(1), exec_id: field(2), stdin: field(3, "bool") },
  },
  DeleteResponse: { fields: { exit_status: field(3, "uint32") } },
  DeleteProcessRequest: { fields: { container_id: field(1), exec_id: field(2) } },
};

export const taskMethods: Record<string, [string, string]> = {
  Exec: ["ExecProcessRequest", "Empty"],
  Start: ["StartRequest", "StartResponse"],
  Wait: ["WaitRequest", "WaitResponse"],
  Kill: ["KillRequest", "Empty"],
  ResizePty: ["ResizePtyRequest", "Empty"],
  CloseIO: ["CloseIORequest", "Empty"],
  DeleteProcess: ["DeleteProcessRequest", "DeleteResponse"],
};

/** A container's record, for its process' environment and user. */
export const containerTypes = {
  Any: any,
  GetContainerRequest: { fields: { id: field(1) } },
  Container: { fields: { id: field(1), spec: field(5, "Any") } },
  GetContainerResponse: { fields: { container: field(1, "Container") } },
};
