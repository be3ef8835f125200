// A file becomes a static pod: decoded, defaulted and judged as the API server would, since that may be
// far away. Its uid is made of what it says, so another content is another pod. Pure.
import { createHash } from "node:crypto";
import { parse } from "yaml";
import { apiVersionOf } from "../../kinds/kind.ts";
import { builtinKinds } from "../../kinds/kinds.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { podReferences } from "../../kinds/pod-references.ts";
import { conform } from "../../kinds/schema/conform.ts";
import { timestamp } from "../../lib/clock.ts";
import { isObject } from "../../lib/json.ts";
import type { Pod } from "../pods/pod.ts";
import { annotations } from "./identity.ts";

export interface ManifestSource {
  path: string;
  nodeName: string;
  /** Wall clock, milliseconds. */
  now: number;
}

let known: ReturnType<typeof builtinKinds> | undefined;

/** Static pods are there whatever befalls the node. */
const toleration = { effect: "NoExecute", operator: "Exists" };

function checked(value: unknown): KubeObject {
  known ??= builtinKinds();
  const kind = known.get("", "v1", "pods")!;
  if (!isObject(value)) throw new Error("is not an object");
  const { apiVersion, kind: type } = value;
  if (apiVersion !== apiVersionOf(kind) || type !== "Pod") {
    throw new Error(`holds ${String(apiVersion)} ${String(type)}, and only v1 Pod can be run`);
  }
  if (!isObject(value["spec"])) throw new Error("spec: Required value");
  const { unknown, wrong } = conform(value, kind.schema, known.definition);
  if (unknown.length > 0) throw new Error(`unknown field ${JSON.stringify(unknown[0])}`);
  const [first] = wrong;
  if (first) throw new Error(`${first.path} must be ${first.wanted}, not ${first.found}`);
  return value as KubeObject;
}

function judged(pod: KubeObject): Pod {
  const kind = known!.get("", "v1", "pods")!;
  kind.defaults?.(pod);
  const errors = kind.validate?.({ object: pod, subresource: "" }) ?? [];
  const [error] = errors;
  if (error) throw new Error(`${error.field}: ${error.message}`);
  const [reference] = podReferences(pod);
  if (reference) throw new Error(`static pods may not refer to other objects: ${reference}`);
  return pod as Pod;
}

/** Throws an Error that says what in the file is wrong. */
export function readManifest(text: string, { path, nodeName, now }: ManifestSource): Pod {
  const pod = checked(parse(text));
  const hash = createHash("sha256")
    .update(JSON.stringify([nodeName, path, pod]))
    .digest("hex")
    .slice(0, 32);
  const { name, namespace = "default", labels } = pod.metadata ?? {};
  if (!name) throw new Error("metadata.name: Required value");
  const metadata = {
    ...(labels && { labels }),
    name: `${name}-${nodeName}`.toLowerCase(),
    namespace,
    uid: hash,
    creationTimestamp: timestamp(now),
    annotations: {
      ...pod.metadata.annotations,
      [annotations.hash]: hash,
      [annotations.seen]: new Date(now).toISOString(),
      [annotations.source]: "file",
    },
  };
  const { status: _, ...rest } = pod;
  const tolerations = [...(pod.spec.tolerations ?? []), toleration];
  const enableServiceLinks = pod.spec["enableServiceLinks"] ?? true;
  const spec = { ...pod.spec, nodeName, tolerations, enableServiceLinks };
  return judged({ ...rest, metadata, spec } as unknown as KubeObject);
}
