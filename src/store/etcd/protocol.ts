// The part of etcd's v3 API that the store speaks: messages with their field numbers, and services.
// Source: etcd's rpc.proto and kv.proto.
import type protobuf from "protobufjs";

type Fields = Record<string, [id: number, type: string, rule?: "repeated"]>;

const message = (fields: Fields, oneofs?: Record<string, string[]>): protobuf.IType => ({
  fields: Object.fromEntries(
    Object.entries(fields).map(([name, [id, type, rule]]) => [
      name,
      { id, type, ...(rule && { rule }) },
    ]),
  ),
  ...(oneofs && {
    oneofs: Object.fromEntries(Object.entries(oneofs).map(([name, oneof]) => [name, { oneof }])),
  }),
});

const header = { revision: [3, "int64"] } satisfies Fields;

export const etcdTypes: Record<string, protobuf.IType> = {
  Header: message(header),
  KeyValue: message({
    key: [1, "bytes"],
    createRevision: [2, "int64"],
    modRevision: [3, "int64"],
    value: [5, "bytes"],
  }),
  RangeRequest: message({
    key: [1, "bytes"],
    rangeEnd: [2, "bytes"],
    limit: [3, "int64"],
    revision: [4, "int64"],
  }),
  RangeResponse: message({
    header: [1, "Header"],
    kvs: [2, "KeyValue", "repeated"],
    more: [3, "bool"],
  }),
  PutRequest: message({ key: [1, "bytes"], value: [2, "bytes"] }),
  PutResponse: message({ header: [1, "Header"] }),
  DeleteRangeRequest: message({ key: [1, "bytes"], rangeEnd: [2, "bytes"] }),
  DeleteRangeResponse: message({ header: [1, "Header"] }),
  // `result` 0 is "equal", `target` 2 is "revision of the last change".
  Compare: message(
    {
      result: [1, "int32"],
      target: [2, "int32"],
      key: [3, "bytes"],
      modRevision: [6, "int64"],
    },
    { targetUnion: ["modRevision"] },
  ),
  RequestOp: message(
    {
      requestRange: [1, "RangeRequest"],
      requestPut: [2, "PutRequest"],
      requestDeleteRange: [3, "DeleteRangeRequest"],
    },
    { request: ["requestRange", "requestPut", "requestDeleteRange"] },
  ),
  ResponseOp: message({ responseRange: [1, "RangeResponse"] }),
  TxnRequest: message({
    compare: [1, "Compare", "repeated"],
    success: [2, "RequestOp", "repeated"],
    failure: [3, "RequestOp", "repeated"],
  }),
  TxnResponse: message({
    header: [1, "Header"],
    succeeded: [2, "bool"],
    responses: [3, "ResponseOp", "repeated"],
  }),
  CompactRequest: message({ revision: [1, "int64"] }),
  CompactResponse: message({ header: [1, "Header"] }),
  WatchCreate: message({
    key: [1, "bytes"],
    rangeEnd: [2, "bytes"],
    startRevision: [3, "int64"],
    fragment: [8, "bool"],
  }),
  WatchRequest: message({ createRequest: [1, "WatchCreate"] }, { request: ["createRequest"] }),
  // `type` 0 is a put, 1 a delete.
  Event: message({ type: [1, "int32"], kv: [2, "KeyValue"] }),
  WatchResponse: message({
    header: [1, "Header"],
    created: [3, "bool"],
    canceled: [4, "bool"],
    compactRevision: [5, "int64"],
    cancelReason: [6, "string"],
    fragment: [7, "bool"],
    events: [11, "Event", "repeated"],
  }),
};

export interface EtcdKeyValue {
  key: Buffer;
  createRevision: number;
  modRevision: number;
  value: Buffer;
}

export interface EtcdEvent {
  type: 0 | 1;
  kv: EtcdKeyValue;
}
