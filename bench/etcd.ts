// Debian's real etcd on the same disk, as the baseline of durable writes. Three messages of its API are
// enough for that.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { freePort } from "../test/support/site.ts";

const { root } = protobuf.parse(`
  syntax = "proto3"; package etcdserverpb;
  message PutRequest { bytes key = 1; bytes value = 2; }
  message PutResponse {}
`);
const PutRequest = root.lookupType("etcdserverpb.PutRequest");
const PutResponse = root.lookupType("etcdserverpb.PutResponse");

export interface Etcd {
  put(key: string, value: Uint8Array, client: number): Promise<void>;
  stop(): Promise<void>;
}

const connections = 8;

export async function startEtcd(): Promise<Etcd> {
  const directory = mkdtempSync(join(tmpdir(), "kerb-etcd-"));
  const [client, peer] = [await freePort(), await freePort()];
  const url = (port: number) => `http://127.0.0.1:${port}`;
  const child = spawn(
    "etcd",
    [
      "--data-dir",
      directory,
      "--listen-client-urls",
      url(client),
      "--advertise-client-urls",
      url(client),
      "--listen-peer-urls",
      url(peer),
      "--initial-advertise-peer-urls",
      url(peer),
      "--initial-cluster",
      `default=${url(peer)}`,
      "--log-level",
      "error",
    ],
    { stdio: "ignore" },
  );
  const clients = Array.from(
    { length: connections },
    () =>
      new Client(`127.0.0.1:${client}`, credentials.createInsecure(), {
        "grpc.use_local_subchannel_pool": 1,
      }),
  );
  await new Promise<void>((resolve, reject) =>
    clients[0]!.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve())),
  );
  const encode = (message: object) => Buffer.from(PutRequest.encode(message).finish());
  return {
    put: (key, value, caller) =>
      new Promise((resolve, reject) => {
        clients[caller % connections]!.makeUnaryRequest(
          "/etcdserverpb.KV/Put",
          encode,
          (bytes) => PutResponse.decode(bytes),
          { key: Buffer.from(key), value },
          (error) => (error ? reject(error) : resolve()),
        );
      }),
    stop: async () => {
      for (const open of clients) open.close();
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill();
      await gone;
      rmSync(directory, { recursive: true });
    },
  };
}
