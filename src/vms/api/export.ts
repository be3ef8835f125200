// The way out for exported disks: whoever knows an export's token takes them away.
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { stringify } from "yaml";
import { resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus, StatusError } from "../../lib/status-error.ts";
import { exportPodName } from "../copies/export-controller.ts";
import { exportManifests, headerSecret } from "../copies/export-manifests.ts";
import {
  exportedDisks,
  hasManifests,
  parseExportPath,
  parseManifestPath,
} from "../copies/export-plan.ts";
import { claimsByVolume } from "../copies/snapshot-content.ts";
import { expandedMachine } from "./handlers/expand.ts";
import { askTask } from "../disks/ask-task.ts";
import {
  cdiConfigs,
  claims,
  machineExports,
  pods,
  snapshotContents,
  snapshots,
  virtualMachines,
} from "../kinds/resources.ts";
import type { Access } from "./access.ts";

const secrets = resource("v1", "secrets");

const locate = ({ url = "/" }: IncomingMessage) => new URL(url, "https://x");

const parse = (path: string) => parseExportPath(path) ?? parseManifestPath(path);

export const isExport = (request: IncomingMessage) => parse(locate(request).pathname) !== undefined;

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

/** The machine as it is, or was when the snapshot was taken, and what its claims ask for. */
async function machineOf({ client }: Access, { metadata, spec }: KubeObject) {
  const { namespace } = metadata;
  const { kind, name } = spec.source;
  if (kind === "VirtualMachine") {
    const vm = await client.get({ ...virtualMachines, namespace, name });
    const specs: Record<string, any> = {};
    for (const { claimName } of claimsByVolume(vm.spec.template.spec)) {
      const claim = await client.get({ ...claims, namespace, name: claimName });
      specs[claimName] = claim.spec;
    }
    return { vm, specs, source: vm, content: undefined };
  }
  const source = await client.get({ ...snapshots, namespace, name });
  const contentName = source.status?.virtualMachineSnapshotContentName ?? "";
  const content = await client.get({ ...snapshotContents, namespace, name: contentName });
  const backups: any[] = content.spec.volumeBackups ?? [];
  const specs = Object.fromEntries(
    backups.map(({ persistentVolumeClaim: one }) => [one.metadata.name, one.spec]),
  );
  return { vm: content.spec.source.virtualMachine as KubeObject, specs, source, content };
}

async function giveManifests(
  access: Access,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  { namespace, name, file }: { namespace: string; name: string; file: "all" | "secret" },
) {
  const { client } = access;
  const exported = await client.get({ ...machineExports, namespace, name });
  const { kind } = exported.spec.source;
  if (!hasManifests(kind)) throw new StatusError("NotFound", "a claim has no manifests");
  const items: object[] = [];
  if (file === "secret") {
    items.push(headerSecret(exported, await tokenOf(access, namespace, name)));
  } else {
    const { vm, specs, source, content } = await machineOf(access, exported);
    const { status } = await client.get({ ...cdiConfigs, name: "config" });
    const parts = {
      ...{ exported, vm: await expandedMachine(access, vm), claimSpecs: specs },
      disks: exportedDisks(kind, source, content) ?? [],
      at: { url: status?.uploadProxyURL ?? "", ca: status?.uploadProxyCA ?? "" },
    };
    items.push(...exportManifests(parts));
  }
  const isYaml = request.headers.accept === "application/yaml";
  response.writeHead(200, { "content-type": isYaml ? "application/yaml" : "application/json" });
  response.end(
    isYaml
      ? items.map((item) => `${stringify(item)}---\n`).join("")
      : JSON.stringify({ apiVersion: "v1", kind: "List", items }, undefined, 2),
  );
}

export async function giveExport(
  access: Access,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const { pathname, searchParams } = locate(request);
  const place = parse(pathname)!;
  const { namespace, name } = place;
  const header = request.headers["x-kubevirt-export-token"];
  const given = Buffer.from(String(header ?? searchParams.get("x-kubevirt-export-token") ?? ""));
  const wanted = Buffer.from(await tokenOf(access, namespace, name));
  if (wanted.length === 0 || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw unauthorized();
  }
  if (!("volume" in place)) return giveManifests(access, { request, response }, place);
  const { volume, file } = place;
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
