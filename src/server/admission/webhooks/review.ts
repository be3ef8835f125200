// The AdmissionReview that a webhook is asked with (admission.k8s.io/v1), and what its answer means.
import type { Kind } from "../../../kinds/kind.ts";
import type { KubeObject } from "../../../kinds/object.ts";
import { isObject } from "../../../lib/json.ts";
import { StatusError } from "../../../lib/status-error.ts";
import type { AdmissionRequest } from "../../policy.ts";
import { asVersion } from "../../stored.ts";

/** Longest warning that is passed on, as upstream. */
const warningCharsMax = 256;

const gvk = ({ group, version, kind }: Kind) => ({ group, version, kind });
const gvr = ({ group, version, plural }: Kind) => ({ group, version, resource: plural });

/** The options of a connection are a kind of their own, and so is an eviction. */
function kindOf(request: AdmissionRequest, kind: Kind) {
  const isOther = request.operation === "CONNECT" || request.object?.kind === "Eviction";
  if (!isOther || !request.object) return gvk(kind);
  const [version = "", group = ""] = request.object.apiVersion.split("/").reverse();
  return { group, version, kind: request.object.kind };
}

const as = async (kind: Kind, object: KubeObject | undefined, own: Kind) =>
  object === undefined ? null : asVersion(own, kind, object);

/** The request as `kind`, another version of its own kind perhaps. */
export async function reviewOf(request: AdmissionRequest, kind: Kind, uid: string) {
  const { user, subresource, name, namespace, operation, options, dryRun } = request;
  const own = request.kind;
  const sub = subresource ? { subResource: subresource } : {};
  const requestSub = subresource ? { requestSubResource: subresource } : {};
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid,
      kind: kindOf(request, kind),
      resource: gvr(kind),
      ...sub,
      requestKind: kindOf(request, own),
      requestResource: gvr(own),
      ...requestSub,
      ...(name && { name }),
      ...(namespace && { namespace }),
      operation,
      userInfo: {
        username: user.name,
        ...(user.uid && { uid: user.uid }),
        groups: user.groups,
        ...(user.extra && { extra: user.extra }),
      },
      object: operation === "CONNECT" ? request.object : await as(kind, request.object, own),
      oldObject: await as(kind, request.old, own),
      dryRun,
      options: Object.keys(options).length > 0 ? options : null,
    },
  };
}

export interface Verdict {
  allowed: boolean;
  warnings: string[];
  /** For the audit log, by key. */
  annotations: Record<string, string>;
  /** RFC 6902 operations. */
  patch?: unknown[];
  status?: Record<string, any>;
}

const printedKind = (body: any) => `${body?.apiVersion ?? ""}, Kind=${body?.kind ?? ""}`;

function patchOf({ patch, patchType }: any): unknown[] | undefined {
  if (patch === undefined || patch === null || patch === "") return undefined;
  if (patchType !== "JSONPatch") {
    throw new Error(
      `webhook returned response.patchType=${JSON.stringify(patchType ?? "")}, but only JSONPatch is accepted`,
    );
  }
  const operations = JSON.parse(Buffer.from(patch, "base64").toString());
  if (!Array.isArray(operations)) throw new Error("webhook returned a patch that is not a list");
  return operations;
}

/** Reads a webhook's answer; throws a plain Error for one that breaks the protocol. */
export function verdictOf(body: unknown, uid: string, mutating: boolean): Verdict {
  const review = body as any;
  if (
    !isObject(body) ||
    review.kind !== "AdmissionReview" ||
    review.apiVersion !== "admission.k8s.io/v1"
  ) {
    throw new Error(
      `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${printedKind(review)}`,
    );
  }
  const { response } = review;
  if (!isObject(response)) throw new Error("webhook response was absent");
  const { allowed, uid: answered, warnings, status, auditAnnotations } = response as any;
  if (answered !== uid) {
    throw new Error(
      `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(answered ?? "")}`,
    );
  }
  const patch = patchOf(response);
  if (patch && !mutating)
    throw new Error("webhook response.patch is only allowed for mutating webhooks");
  return {
    allowed: allowed === true,
    warnings: (Array.isArray(warnings) ? warnings : []).map((text) =>
      String(text).slice(0, warningCharsMax),
    ),
    annotations: isObject(auditAnnotations) ? (auditAnnotations as Record<string, string>) : {},
    ...(patch && { patch }),
    ...(isObject(status) && { status }),
  };
}

/** The refusal as its caller sees it. */
export function denial(name: string, status: Record<string, any> = {}): StatusError {
  const by = `admission webhook ${JSON.stringify(name)} denied the request`;
  const why = status["message"] || status["reason"];
  return new StatusError(
    status["reason"] ?? "",
    why ? `${by}: ${why}` : `${by} without explanation`,
    {
      code: status["code"] >= 400 ? status["code"] : 400,
      ...(isObject(status["details"]) && { details: status["details"] as any }),
    },
  );
}
