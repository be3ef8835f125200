// Asks `grpc.health.v1.Health/Check`: one call over HTTP/2 without TLS, whose two messages are small enough to
// write and read here.
import { connect } from "node:http2";
import type { Clock } from "../../lib/clock.ts";
import { deadline } from "./deadline.ts";
import type { HandlerResult } from "./handler-result.ts";

const statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const answerBytesMax = 1024;

/** `HealthCheckRequest { string service = 1 }` in gRPC's frame. Pure. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const length =
    name.length < 128 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
  const message = Buffer.concat(name.length > 0 ? [Buffer.from([0x0a, ...length]), name] : []);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** The status in `HealthCheckResponse { enum status = 1 }`. Pure. */
export const healthStatus = (frame: Buffer): string =>
  statuses[frame.length >= 7 && frame[5] === 0x08 ? frame[6]! : 0] ?? "UNKNOWN";

export interface GrpcTarget {
  host: string;
  port: number;
  service: string;
  timeoutMs: number;
  clock: Clock;
}

/** Never rejects. */
export function probeGrpc(target: GrpcTarget): Promise<HandlerResult> {
  const { host, port, service, timeoutMs, clock } = target;
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return new Promise((resolve) => {
    const session = connect(`http://${authority}`);
    const end = (ok: boolean, output = "") => {
      cancel();
      session.destroy();
      resolve({ ok, output });
    };
    const cancel = deadline(clock, timeoutMs, () =>
      end(false, `timeout: failed to connect service "${authority}" within ${timeoutMs / 1000}s`),
    );
    const failed = (error: Error) =>
      end(false, `error: health rpc to "${authority}" failed: ${error.message}`);
    session.on("error", failed);
    const call = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      "user-agent": "kube-probe/1.36",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let code = "";
    const note = (headers: object) => (code = (headers as any)["grpc-status"] ?? code);
    call.on("error", failed);
    call.on("response", note);
    call.on("trailers", note);
    call.on("data", (chunk: Buffer) => {
      if ((bytes += chunk.length) <= answerBytesMax) chunks.push(chunk);
    });
    call.on("end", () => {
      if (code !== "0") return end(false, `service unhealthy (gRPC status ${code || "missing"})`);
      const status = healthStatus(Buffer.concat(chunks));
      end(
        status === "SERVING",
        status === "SERVING" ? "" : `service unhealthy (responded with "${status}")`,
      );
    });
    call.end(healthRequest(service));
  });
}
