// What probes and lifecycle hooks do: run a command, ask over HTTP, open a connection, or sleep.
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type { Clock } from "../../lib/clock.ts";
import { sleep } from "../../lib/clock.ts";
import { deadline } from "./deadline.ts";
import { probeGrpc } from "./grpc-probe.ts";
import type { HandlerResult } from "./handler-result.ts";
import type { Container, Handler } from "../pods/pod.ts";
import type { Runtime } from "../runtime.ts";

export interface HandlerContext {
  runtime: Runtime;
  clock: Clock;
  container: Container;
  containerId: string;
  podIp: string;
  timeoutMs: number;
  signal: AbortSignal;
}

const outputBytesMax = 10_240;

function portOf(container: Container, port: number | string): number {
  if (typeof port === "number") return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  return named ?? Number(port);
}

async function runExec(handler: Handler, context: HandlerContext): Promise<HandlerResult> {
  const { runtime, containerId, timeoutMs } = context;
  const command = handler.exec!.command ?? [];
  try {
    const { exitCode, stdout, stderr } = await runtime.execSync(containerId, command, timeoutMs);
    const output = Buffer.concat([stdout, stderr]).subarray(0, outputBytesMax).toString();
    return { ok: exitCode === 0, output: output.trimEnd() };
  } catch (error) {
    return { ok: false, output: (error as Error).message };
  }
}

function runHttp(handler: Handler, context: HandlerContext): Promise<HandlerResult> {
  const { path = "/", port, host, scheme = "HTTP", httpHeaders = [] } = handler.httpGet!;
  const number = portOf(context.container, port);
  const address = host ?? context.podIp;
  const send = scheme === "HTTPS" ? httpsRequest : httpRequest;
  const headers: Record<string, string> = { "user-agent": "kube-probe/1.36", accept: "*/*" };
  for (const { name, value } of httpHeaders) headers[name.toLowerCase()] = value;
  const url = `${scheme.toLowerCase()}://${address.includes(":") ? `[${address}]` : address}:${number}`;
  const failed = (why: string) => ({ ok: false, output: `Get "${url}${path}": ${why}` });
  return new Promise((resolve) => {
    const end = (result: HandlerResult) => {
      cancel();
      resolve(result);
      call.destroy();
    };
    // As Go's client reads: lines that end without a carriage return are common among small servers.
    const lenient = { rejectUnauthorized: false, insecureHTTPParser: true };
    const call = send(
      { host: address, port: number, path, headers, agent: false, ...lenient },
      (response) => {
        const code = response.statusCode ?? 0;
        const ok = code >= 200 && code < 400;
        const answer = { ok, output: ok ? "" : `HTTP probe failed with statuscode: ${code}` };
        let left = outputBytesMax;
        response.on("data", ({ length }: Buffer) => (left -= length) <= 0 && end(answer));
        response.once("end", () => end(answer));
        response.once("error", (error) => end(failed(error.message)));
      },
    );
    const cancel = deadline(context.clock, context.timeoutMs, () =>
      end(failed("context deadline exceeded")),
    );
    call.on("error", (error) => end(failed(error.message)));
    call.end();
  });
}

function runTcp(handler: Handler, context: HandlerContext): Promise<HandlerResult> {
  const { port, host = context.podIp } = handler.tcpSocket!;
  const number = portOf(context.container, port);
  return new Promise((resolve) => {
    const socket = connect({ host, port: number });
    const end = (ok: boolean, why = "") => {
      cancel();
      socket.destroy();
      resolve({ ok, output: ok ? "" : `dial tcp ${host}:${number}: ${why}` });
    };
    const cancel = deadline(context.clock, context.timeoutMs, () => end(false, "i/o timeout"));
    socket.once("connect", () => end(true));
    socket.once("error", (error) => end(false, error.message));
  });
}

/** Never rejects. */
export async function runHandler(
  handler: Handler,
  context: HandlerContext,
): Promise<HandlerResult> {
  if (handler.exec) return runExec(handler, context);
  if (handler.httpGet) return runHttp(handler, context);
  if (handler.tcpSocket) return runTcp(handler, context);
  if (handler.grpc) {
    const { port, service = "" } = handler.grpc;
    return probeGrpc({ ...context, host: context.podIp, port, service });
  }
  if (handler.sleep) {
    const ms = Math.min(handler.sleep.seconds * 1000, context.timeoutMs);
    await sleep(context.clock, ms, context.signal).catch(() => {});
    return { ok: true, output: "" };
  }
  const type = Object.keys(handler).find((key) => typeof (handler as any)[key] === "object");
  return { ok: false, output: `handler ${type ?? ""} is not supported` };
}
