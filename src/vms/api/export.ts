// The way out for exported disks: whoever knows an export's token takes them away.
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { resource } from "../../client/client.ts";
import { isStatus, StatusError } from "../../lib/status-error.ts";
import { exportPodName } from "../copies/export-controller.ts";
import { parseExportPath } from "../copies/export-plan.ts";
import { askTask } from "../disks/ask-task.ts";
import { machineExports, pods } from "../kinds/resources.ts";
import type { Access } from "./access.ts";

const secrets = resource("v1", "secrets");

const locate = ({ url = "/" }: IncomingMessage) => new URL(url, "https://x");

export const isExport = (request: IncomingMessage) =>
  parseExportPath(locate(request).pathname) !== undefined;

const unauthorized = () => new StatusError("Unauthorized", "the export's token is needed");

/** Whether an export is there is nobody's business who has no token. */
async function tokenOf({ client }: Access, namespace: string, name: string): Promise<string> {
  try {
    const found = await client.get({ ...machineExports, namespace, name });
    const secretName: string | undefined = found.status?.tokenSecretRef;
    if (!secretName) throw unauthorized();
    const secret = await client.get({ ...secrets, namespace, name: secretName });
    return Buffer.from(secret["data"]?.token ?? "", "base64").toString();
  } catch (error) {
    throw isStatus(error, "NotFound") ? unauthorized() : error;
  }
}

export async function giveExport(
  access: Access,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const { pathname, searchParams } = locate(request);
  const { namespace, name, volume, file } = parseExportPath(pathname)!;
  const header = request.headers["x-kubevirt-export-token"];
  const given = Buffer.from(String(header ?? searchParams.get("x-kubevirt-export-token") ?? ""));
  const wanted = Buffer.from(await tokenOf(access, namespace, name));
  if (wanted.length === 0 || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw unauthorized();
  }
  const pod = await access.client.get({ ...pods, namespace, name: exportPodName(name) });
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("the caller went away")));
  const path = `/${volume}/${file}`;
  const answer = await askTask(access.connect, pod, { path, signal: gone.signal });
  const { "content-length": length, "content-type": type } = answer.headers;
  response.writeHead(answer.statusCode ?? 502, {
    ...(type && { "content-type": type }),
    ...(length && { "content-length": length }),
  });
  pipeline(answer, response, () => {});
}
