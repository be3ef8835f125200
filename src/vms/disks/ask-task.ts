// Asks the program in a disk's pod.
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { KubeObject } from "../../kinds/object.ts";
import type { NodeConnector } from "../../lib/node-connection.ts";
import { limitedText } from "../../lib/limited-text.ts";
import { forward } from "../../lib/proxy/forward.ts";
import { StatusError } from "../../lib/status-error.ts";
import { taskAnnotation, taskPort, untilDone } from "./task.ts";
import type { DiskTask, Progress } from "./task.ts";

export const taskOf = (pod: KubeObject): DiskTask | undefined => {
  const json = pod.metadata.annotations?.[taskAnnotation];
  return json === undefined ? undefined : (JSON.parse(json) as DiskTask);
};

export interface TaskRequest {
  path: string;
  method?: string;
  body?: Readable;
  length?: string;
  signal: AbortSignal;
}

export async function askTask(
  connect: NodeConnector,
  pod: KubeObject,
  { path, method = "GET", body, length, signal }: TaskRequest,
): Promise<IncomingMessage> {
  const { podIP } = pod.status ?? {};
  const task = taskOf(pod);
  if (!podIP || !task) throw new StatusError("ServiceUnavailable", "the disk's pod is not up");
  const node = await connect(pod.spec.nodeName);
  const headers = {
    ...{ host: podIP, authorization: `Bearer ${task.key}` },
    ...(length !== undefined && { "content-length": length }),
    // Who refuses a body in the middle of it closes nothing, so that the answer comes.
    ...(body && { connection: "keep-alive" }),
  };
  const target = { dial: () => node.dial(podIP, taskPort) };
  return forward(target, { method, path, headers, body, signal });
}

const answerMsMax = 3000;
/** A pod may be anybody's by now, so no more is read than an honest one says. */
const answerBytesMax = 1024;

const isCount = (value: unknown): value is number => Number.isFinite(value) && Number(value) >= 0;

/** Undefined for what no program of ours says. */
function progressIn(said: string): Progress | undefined {
  const { phase, doneBytes, totalBytes } = JSON.parse(said) as Record<string, unknown>;
  if (typeof phase !== "string" || !isCount(doneBytes)) return undefined;
  if (totalBytes !== undefined && !isCount(totalBytes)) return undefined;
  const total = totalBytes === undefined ? {} : { totalBytes };
  return { phase: phase as Progress["phase"], doneBytes, ...total };
}

/** At the end, or a second later. Undefined while it does not say. */
export async function progressOf(
  connect: NodeConnector,
  pod: KubeObject,
): Promise<Progress | undefined> {
  try {
    const signal = AbortSignal.timeout(answerMsMax);
    const answer = await askTask(connect, pod, { path: untilDone, signal });
    return progressIn(await limitedText(answer, answerBytesMax));
  } catch {
    return undefined;
  }
}
