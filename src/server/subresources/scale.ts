// `autoscaling/v1 Scale` of anything that has replicas: one number read and written where the kind says.
import type { KubeObject } from "../../kinds/object.ts";
import { badRequest, invalid } from "../../lib/status-error.ts";
import { labelSelectorText } from "../selector-text.ts";
import { decodeBody } from "../body.ts";
import type { Call } from "../core.ts";
import type { ApiResponse } from "../request.ts";
import { respondObject } from "../respond.ts";
import { fromStored } from "../stored.ts";
import { existing } from "../verbs/get.ts";
import { modify } from "../verbs/modify.ts";
import { patchDocument } from "../verbs/patch.ts";

const defaultPaths = {
  specReplicasPath: ".spec.replicas",
  statusReplicasPath: ".status.replicas",
  labelSelectorPath: ".spec.selector",
};

const steps = (path: string) => path.split(".").filter((step) => step !== "");

const at = (object: any, path: string | undefined): any =>
  path === undefined ? undefined : steps(path).reduce((value, step) => value?.[step], object);

function put(object: any, path: string, value: unknown) {
  const way = steps(path);
  const last = way.pop()!;
  let parent = object;
  for (const step of way) parent = parent[step] ??= {};
  parent[last] = value;
}

const pathsOf = (call: Call) => call.kind.scale ?? defaultPaths;

function scaleOf(call: Call, object: KubeObject): KubeObject {
  const paths = pathsOf(call);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = at(object, paths.labelSelectorPath);
  const text = typeof selector === "string" ? selector : labelSelectorText(selector);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, ...(namespace && { namespace }), uid, resourceVersion, creationTimestamp },
    spec: { replicas: at(object, paths.specReplicasPath) ?? 0 },
    status: {
      replicas: at(object, paths.statusReplicasPath) ?? 0,
      ...(text && { selector: text }),
    },
  };
}

function replicasOf(call: Call, scale: any): number {
  const replicas = scale.spec?.replicas ?? 0;
  if (Number.isSafeInteger(replicas) && replicas >= 0) return replicas;
  throw invalid("Scale", "autoscaling", call.info.name!, [
    {
      type: "FieldValueInvalid",
      field: "spec.replicas",
      message: `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
    },
  ]);
}

export async function scale(call: Call): Promise<ApiResponse> {
  if (call.info.verb === "get") {
    const entry = await existing(call);
    return respondObject(call, 200, scaleOf(call, fromStored(call.kind, entry.value)));
  }
  const whole = { ...call, info: { ...call.info, subresource: "" } };
  const modified = await modify(whole, (own) => {
    const present = scaleOf(call, own);
    const wanted =
      call.info.verb === "update" ? decodeBody(call.request) : patchDocument(call, present);
    const { name, uid, resourceVersion } = wanted.metadata ?? {};
    if (name !== call.info.name) {
      const why = `the name of the object (${name ?? ""}) does not match the name on the URL (${call.info.name})`;
      throw badRequest(why);
    }
    if (uid) own.metadata.uid = uid;
    put(own, pathsOf(call).specReplicasPath, replicasOf(call, wanted));
    if (resourceVersion) own.metadata.resourceVersion = resourceVersion;
    return own;
  });
  const object =
    "entry" in modified ? fromStored(call.kind, modified.entry.value) : modified.object;
  return respondObject(call, 200, scaleOf(call, object));
}
