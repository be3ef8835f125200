// `serviceaccounts/token`: a token for an account, for some audiences and some time, bound to a pod, a
// secret or a node if the caller says so.
import { isObject } from "../../lib/json.ts";
import { timestamp } from "../../lib/clock.ts";
import { badRequest, conflict, forbidden, invalid, notFound } from "../../lib/status-error.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue } from "../../kinds/field-checks.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { decodeBody } from "../body.ts";
import type { Authorize, HandlerContext, SubresourceHandler } from "../policy.ts";
import type { User } from "../request.ts";
import { nodeOf } from "./node/node-identity.ts";
import { audiencesOf } from "./pod-audiences.ts";
import type { Binding, ReadObject, ServiceAccountTokens } from "./service-account-tokens.ts";

const defaultSeconds = 3600;
const secondsMin = 600;
const secondsMax = 2 ** 32;

/**
 * A request for exactly this long comes from a pod's default volume. Programs that read their token
 * once and never again must not fail after an hour, so such a token works for a year, as upstream.
 */
const refreshSeconds = 3607;
const extendedSeconds = 365 * 86_400;

const boundKinds: Record<string, "pod" | "secret" | "node"> = {
  Pod: "pod",
  Secret: "secret",
  Node: "node",
};

interface BoundObjectRef {
  kind: string;
  apiVersion: string;
  name: string;
  uid?: string;
}

function check(spec: Record<string, any>) {
  const { expirationSeconds: seconds = defaultSeconds } = spec;
  const errors: FieldError[] = [];
  const refuse = (field: string, value: unknown, why: string) =>
    errors.push({
      type: "FieldValueInvalid",
      field,
      message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
    });
  const field = "spec.expirationSeconds";
  if (seconds < secondsMin)
    refuse(field, seconds, "may not specify a duration less than 10 minutes");
  if (seconds > secondsMax)
    refuse(field, seconds, "may not specify a duration larger than 2^32 seconds");
  if (errors.length > 0) throw invalid("TokenRequest", "authentication.k8s.io", "", errors);
}

/** A caller that names the account names the one it asks. Throws Invalid, or Conflict when it is another one. */
function checkIdentity(sent: Record<string, any>, { metadata }: KubeObject) {
  for (const field of ["name", "namespace"] as const) {
    if (!sent[field] || sent[field] === metadata[field]) continue;
    const why = `must match the service account ${field} if specified`;
    throw invalid("TokenRequest", "authentication.k8s.io", metadata.name, [
      invalidValue(`metadata.${field}`, sent[field], why),
    ]);
  }
  if (!sent["uid"] || sent["uid"] === metadata.uid) return;
  const why = `the UID in the token request (${sent["uid"]}) does not match the UID of the service account (${metadata.uid})`;
  const of = { group: "authentication.k8s.io", resource: "TokenRequest" };
  throw conflict(of, metadata.name, why);
}

/** The object a token is bound to. Throws NotFound when it is gone, Conflict when it is another one. */
async function boundTo(read: ReadObject, namespace: string, account: string, ref: BoundObjectRef) {
  const group = ref.apiVersion?.includes("/") ? ref.apiVersion.split("/")[0]! : "";
  const part = group === "" ? boundKinds[ref.kind] : undefined;
  if (!part) {
    const version = ref.apiVersion?.split("/").at(-1) ?? "";
    const type = `${group}/${version}, Kind=${ref.kind ?? ""}`;
    throw badRequest(`cannot bind token to object of type ${type}`);
  }
  const where = part === "node" ? ref.name : `${namespace}/${ref.name}`;
  const object = await read(`${part}s/${where}`);
  if (!object) throw notFound({ group: "", resource: `${part}s` }, ref.name);
  if (part === "pod" && object.spec.serviceAccountName !== account) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
    );
  }
  const { uid } = object.metadata;
  if (ref.uid && ref.uid !== uid) {
    throw conflict(
      { group: "", resource: ref.kind },
      ref.name,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. ` +
        "The object might have been deleted and then recreated",
    );
  }
  return { part, object };
}

async function bindingFor(
  read: ReadObject,
  account: KubeObject,
  ref: BoundObjectRef | undefined,
): Promise<Binding> {
  const { namespace = "", name, uid } = account.metadata;
  const binding: Binding = { namespace, serviceaccount: { name, uid } };
  if (!ref) return binding;
  const { part, object } = await boundTo(read, namespace, name, ref);
  binding[part] = { name: ref.name, uid: object.metadata.uid };
  const nodeName = part === "pod" ? object.spec.nodeName : undefined;
  const node = nodeName && (await read(`nodes/${nodeName}`));
  if (node) binding.node = { name: nodeName, uid: node.metadata.uid };
  return binding;
}

/** Whom an administrator lets nodes ask tokens for, besides what their pods name. */
const audienceVerb = "request-serviceaccounts-token-audience";

interface NodeQuestion {
  user: User;
  authorize: Authorize;
  read: ReadObject;
  ref: BoundObjectRef | undefined;
  binding: Binding;
  /** Besides the server's own. */
  audiences: string[];
}

/** A node asks for tokens of the pods that are bound to it and of no others, for whom these pods name. */
async function checkNode({ user, authorize, read, ref, binding, audiences }: NodeQuestion) {
  const node = nodeOf(user);
  if (node === undefined) return;
  const { namespace, serviceaccount } = binding;
  const { name } = serviceaccount;
  const refuse = (why: string) =>
    forbidden({ group: "", resource: "serviceaccounts" }, name, `node requested token ${why}`);
  if (!ref || ref.kind !== "Pod") throw refuse("not bound to a pod");
  if (!ref.uid) throw refuse("with a pod binding without a uid");
  if (binding.node?.name !== node) throw refuse("bound to a pod scheduled on a different node");
  if (audiences.length === 0) return;
  const named = await audiencesOf(read, (await read(`pods/${namespace}/${ref.name}`))!);
  for (const audience of audiences) {
    if (named.has(audience)) continue;
    const rest = { group: "", version: "v1", subresource: "", path: "" };
    const asked = { verb: audienceVerb, resource: audience, namespace, name, ...rest };
    if ((await authorize(user, asked)).allowed) continue;
    throw refuse(`with audience ${JSON.stringify(audience)} that no volume of its pod names`);
  }
}

export const tokenRequest =
  (tokens: ServiceAccountTokens, read: ReadObject): SubresourceHandler =>
  async ({ request, info, server }: HandlerContext) => {
    const body = decodeBody(request);
    const spec = isObject(body.spec) ? body.spec : {};
    const { namespace = "", name = "" } = info;
    const account = await read(`serviceaccounts/${namespace}/${name}`);
    if (!account) throw notFound({ group: "", resource: "serviceaccounts" }, name);
    const { uid } = account.metadata;
    checkIdentity(isObject(body.metadata) ? body.metadata : {}, account);
    check(spec);
    const audiences = spec["audiences"]?.length ? spec["audiences"] : tokens.audiences;
    const seconds: number = spec["expirationSeconds"] ?? defaultSeconds;
    const binding = await bindingFor(read, account, spec["boundObjectRef"]);
    const others = audiences.filter((audience: string) => !tokens.audiences.includes(audience));
    const { user } = request;
    const ref = spec["boundObjectRef"];
    await checkNode({ user, authorize: server.authorize, read, ref, binding, audiences: others });
    const ours = others.length === 0;
    const extend = seconds === refreshSeconds && binding.pod !== undefined && ours;
    if (extend) binding.warnafter = Math.floor(server.clock.now() / 1000) + seconds;
    const { token, issuedAtMs } = tokens.sign(
      binding,
      audiences,
      extend ? extendedSeconds : seconds,
    );
    return {
      code: 201,
      object: {
        kind: "TokenRequest",
        apiVersion: "authentication.k8s.io/v1",
        metadata: { name, namespace, uid, creationTimestamp: timestamp(issuedAtMs) },
        spec: { ...spec, audiences, expirationSeconds: seconds },
        status: { token, expirationTimestamp: timestamp(issuedAtMs + seconds * 1000) },
      },
    };
  };
