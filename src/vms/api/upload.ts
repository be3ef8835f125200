// CDI's upload API: tokens for whoever may ask for them, and the proxy that takes a disk in with one.
import type { IncomingMessage, ServerResponse } from "node:http";
import { badRequest, isStatus, StatusError } from "../../lib/status-error.ts";
import { askTask } from "../disks/ask-task.ts";
import type { UploadTokens } from "../disks/upload-token.ts";
import { contentType } from "../disks/claim-progress.ts";
import { claims, pods } from "../kinds/resources.ts";
import { taskPodName } from "../disks/source-task.ts";
import type { Access } from "./access.ts";

export const uploadGroupVersion = "upload.cdi.kubevirt.io/v1beta1";
const requests = new RegExp(
  `^/apis/${uploadGroupVersion}/namespaces/([^/?]+)/uploadtokenrequests$`,
);
const proxied = /^\/v1(?:beta1|alpha1)\/upload(-async)?$/;

const pathOf = ({ url = "/" }: IncomingMessage) => url.split("?")[0]!;

export const uploadDiscovery = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: uploadGroupVersion,
  resources: [
    {
      ...{ name: "uploadtokenrequests", singularName: "uploadtokenrequest", namespaced: true },
      ...{ kind: "UploadTokenRequest", verbs: ["create"] },
    },
  ],
};

export const isTokenRequest = (request: IncomingMessage) => requests.test(pathOf(request));
export const isUpload = (request: IncomingMessage) => proxied.test(pathOf(request));

export class Uploads {
  readonly #access: Access;
  readonly #tokens: UploadTokens;

  constructor(access: Access, tokens: UploadTokens) {
    this.#access = access;
    this.#tokens = tokens;
  }

  /** The UploadTokenRequest with its token. */
  async issue(request: IncomingMessage, body: any) {
    const [, namespace] = requests.exec(pathOf(request))!;
    const name: string | undefined = body.spec?.pvcName;
    if (!name) throw badRequest("spec.pvcName: Required value");
    const claim = { namespace: decodeURIComponent(namespace!), name };
    await this.#refuseArchive(claim);
    const token = this.#tokens.issue(claim, this.#access.clock.now());
    const metadata = { ...body.metadata, namespace: claim.namespace };
    return {
      code: 201,
      json: {
        ...body,
        apiVersion: uploadGroupVersion,
        kind: "UploadTokenRequest",
        metadata,
        status: { token },
      },
    };
  }

  async #refuseArchive({ namespace, name }: { namespace: string; name: string }) {
    const claim = await this.#access.client
      .get({ ...claims, namespace, name })
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      });
    if (claim?.metadata.annotations?.[contentType] !== "archive") return;
    const why = "archives are not unpacked here, only images of disks are taken";
    throw badRequest(`PVC ${namespace}/${name}: ${contentType}: archive: ${why}`);
  }

  async #podOf(request: IncomingMessage) {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
    const claim = this.#tokens.read(token, this.#access.clock.now());
    if (!claim)
      throw new StatusError("Unauthorized", "the upload token is not valid, or not any more");
    const { namespace, name } = claim;
    const pod = taskPodName({ metadata: { name } }, "upload");
    return this.#access.client.get({ ...pods, namespace, name: pod }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
      const why = `nothing waits for an upload to PVC ${namespace}/${name}`;
      throw new StatusError("NotFound", why);
    });
  }

  /** The body goes on as it comes. */
  async take(request: IncomingMessage, response: ServerResponse) {
    if (request.method === "HEAD") return response.writeHead(200).end();
    if (request.method !== "POST")
      throw new StatusError("MethodNotAllowed", "disks are sent with POST");
    const pod = await this.#podOf(request);
    const gone = new AbortController();
    response.once("close", () => gone.abort(new Error("the caller went away")));
    const length = request.headers["content-length"];
    const answer = await askTask(this.#access.connect, pod, {
      ...{ path: "/upload", method: "POST", body: request, signal: gone.signal },
      ...(length !== undefined && { length }),
    });
    response.writeHead(answer.statusCode ?? 502, { "content-type": "text/plain" });
    answer.pipe(response);
  }
}
