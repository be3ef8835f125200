// A client cheap enough to load a server from the other core: HTTP/2 requests over shared sessions, bodies
// made beforehand, answers counted and thrown away.
import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { parse } from "yaml";

export interface Api {
  request(method: string, path: string, body?: Uint8Array, type?: string): Promise<number>;
  /** Whole body; for lists. */
  read(path: string): Promise<Buffer>;
  /** Calls back with each chunk until closed. */
  stream(path: string, onChunk: (chunk: Buffer) => void): () => void;
  close(): void;
}

/** Opens `sessions` connections to the cluster of a kubeconfig. */
export function openApi(kubeconfig: string, sessions = 4): Api {
  const config = parse(readFileSync(kubeconfig, "utf8"));
  const plain = (text: string) => Buffer.from(text, "base64").toString();
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const open = (): ClientHttp2Session =>
    connect(cluster.server, {
      ca: plain(cluster["certificate-authority-data"]),
      cert: plain(user["client-certificate-data"]),
      key: plain(user["client-key-data"]),
    });
  const pool = Array.from({ length: sessions }, open);
  let turn = 0;
  const pick = () => pool[turn++ % pool.length]!;
  const send = (method: string, path: string, body?: Uint8Array, type = "application/json") => {
    const stream = pick().request(
      { ":method": method, ":path": path, "content-type": type, accept: "application/json" },
      { endStream: body === undefined },
    );
    if (body) stream.end(body);
    return stream;
  };
  return {
    request: (method, path, body, type) =>
      new Promise((resolve, reject) => {
        const stream = send(method, path, body, type);
        let code = 0;
        stream.on("response", (headers) => (code = Number(headers[":status"])));
        stream.on("error", reject);
        stream.on("end", () => resolve(code));
        stream.resume();
      }),
    read: (path) =>
      new Promise((resolve, reject) => {
        const stream = send("GET", path);
        const chunks: Buffer[] = [];
        stream.on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.on("error", reject);
        stream.on("end", () => resolve(Buffer.concat(chunks)));
      }),
    stream: (path, onChunk) => {
      const stream = send("GET", path);
      stream.on("data", onChunk);
      stream.on("error", () => {});
      return () => stream.close();
    },
    close: () => {
      for (const session of pool) session.destroy();
    },
  };
}

/** Resolves when a watch of a pod of the namespace default shows what is looked for. */
export function untilPod(
  api: Api,
  name: string,
  is: (type: string, pod: any) => boolean,
): Promise<void> {
  return new Promise((found) => {
    let rest = "";
    const path = `/api/v1/namespaces/default/pods?watch=1&fieldSelector=metadata.name%3D${name}`;
    const stop = api.stream(path, (chunk) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop()!;
      const events = lines.filter(Boolean).map((line) => JSON.parse(line));
      if (!events.some(({ type, object }) => is(type, object))) return;
      stop();
      found();
    });
  });
}

/** A pod like people's pods, about `bytes` long as JSON. */
export function samplePod(name: string, bytes = 2000): Uint8Array {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app: "bench" }, annotations: { filler: "" } },
    spec: {
      // Nobody schedules these: what is measured is the server.
      schedulerName: "bench",
      containers: [
        {
          name: "main",
          image: "registry.example/app:1.0",
          ports: [{ containerPort: 8080, name: "http" }],
          env: [{ name: "MODE", value: "production" }],
          resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { memory: "64Mi" } },
        },
      ],
    },
  };
  const length = JSON.stringify(pod).length;
  pod.metadata.annotations.filler = "x".repeat(Math.max(0, bytes - length));
  return Buffer.from(JSON.stringify(pod));
}
