// POST of a new object. The name may be generated; everything that identifies the object is the server's.
import { timestamp } from "../../lib/clock.ts";
import { rememberParsed } from "../../lib/parse-shared.ts";
import { alreadyExists, badRequest, invalid, StatusError } from "../../lib/status-error.ts";
import { dropEmpty } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { KeyExists } from "../../store/store.ts";
import { admissionRequest, admit, mutate } from "../admit.ts";
import { readDocument } from "../body.ts";
import type { Call } from "../core.ts";
import { encodeBody } from "../encode.ts";
import { trackFields } from "../managed.ts";
import type { ApiResponse } from "../request.ts";
import { respondObject, respondStored } from "../respond.ts";
import { complete, decodeObject, validate } from "../rules.ts";
import { keyOf, readAhead, resourceNameOf, toStored } from "../stored.ts";

/** Characters of a generated suffix, and the longest name it may make; as upstream. */
const suffixLength = 5;
const generatedNameLengthMax = 63;

/** How often a generated name that is taken is tried anew. */
const generateTriesMax = 8;

/** Checks what the object says of its place against the URL, and fills it in. */
export function place(call: Call, object: KubeObject) {
  const { info, kind } = call;
  const { metadata } = object;
  if (!kind.namespaced) {
    delete metadata.namespace;
    return;
  }
  if (metadata.namespace && metadata.namespace !== info.namespace) {
    throw badRequest(
      "the namespace of the provided object does not match the namespace sent on the request",
    );
  }
  metadata.namespace = info.namespace!;
}

function generateName(call: Call, metadata: KubeObject["metadata"]) {
  const base = metadata.generateName!.slice(0, generatedNameLengthMax - suffixLength);
  metadata.name = base + call.core.random.suffix(suffixLength);
}

/** Fills the metadata that only the server gives. */
function identify(call: Call, object: KubeObject) {
  const { metadata } = object;
  if (metadata.resourceVersion) {
    throw badRequest("resourceVersion should not be set on objects to be created");
  }
  delete (metadata as Partial<typeof metadata>).resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete (metadata as any).selfLink;
  metadata.uid = call.core.random.uuid();
  metadata.creationTimestamp = timestamp(call.core.clock.now());
  dropEmpty(metadata);
  delete metadata.generation;
  if (hasSpec(object)) metadata.generation = 1;
}

/** Status is for those who observe. A node is registered by its agent, which observes at once. */
function clearStatus({ kind }: Call, object: KubeObject) {
  const registersItself = kind.group === "" && kind.plural === "nodes";
  if (kind.subresources.includes("status") && !registersItself) delete object.status;
}

const hasSpec = (object: KubeObject) => object.spec !== undefined;

function requireName(call: Call, { metadata }: KubeObject) {
  if (metadata.name || metadata.generateName) return;
  throw invalid(call.kind.kind, call.kind.group, "", [
    {
      type: "FieldValueRequired",
      field: "metadata.name",
      message: "Required value: name or generateName is required",
    },
  ]);
}

/** Puts a finished object into the store and answers with it. */
async function store(call: Call, object: KubeObject): Promise<ApiResponse> {
  const { core, kind } = call;
  const { metadata } = object;
  const key = keyOf(kind, metadata.namespace, metadata.name);
  if (call.options.dryRun) {
    if (await core.store.get(key)) throw taken(call, metadata.name);
    return respondObject(call, 201, object);
  }
  const stored = await toStored(kind, object);
  const options = kind.volatile ? { volatile: true } : undefined;
  const entry = await core.store.create(key, encodeBody(stored), options);
  stored.metadata = { ...stored.metadata, resourceVersion: String(entry.revision) };
  rememberParsed(entry.value, stored);
  await readAhead(kind, [entry.value]);
  return respondStored(call, 201, entry.value);
}

const taken = (call: Call, name: string) =>
  alreadyExists({ group: call.kind.group, resource: call.kind.plural }, name);

/** Everything between the decoded object and the store. */
async function prepare(call: Call, object: KubeObject) {
  const request = admissionRequest(call, "CREATE", object, undefined);
  let final = await mutate(call, request);
  final = complete(call, final);
  place(call, final);
  identify(call, final);
  clearStatus(call, final);
  call.kind.prepareForCreate?.(final);
  const undo = await call.core.allocators
    .get(resourceNameOf(call.kind))
    ?.allocate(final, undefined, call.options.dryRun === true);
  try {
    request.object = final;
    await validate(call, request);
    await admit(call, request);
    if (!call.applying) trackFields(call, final, undefined);
  } catch (error) {
    await undo?.();
    throw error;
  }
  return { final, undo };
}

/** Creates `object`, already decoded for the call's kind. */
export async function createObject(call: Call, object: KubeObject): Promise<ApiResponse> {
  requireName(call, object);
  const { name, generateName: base } = object.metadata;
  for (let tries = 1; ; tries++) {
    const draft = { ...object, metadata: { ...object.metadata } };
    place(call, draft);
    if (!name) generateName(call, draft.metadata);
    const { final, undo } = await prepare(call, draft);
    try {
      const answer = await store(call, final);
      if (call.options.dryRun) await undo?.();
      return answer;
    } catch (error) {
      await undo?.();
      const exists = error instanceof KeyExists;
      const again = exists && !name && base && tries < generateTriesMax;
      if (again) continue;
      throw exists ? taken(call, final.metadata.name) : error;
    }
  }
}

export async function create(call: Call): Promise<ApiResponse> {
  const document = readDocument(call.request);
  if (document.value === undefined) {
    throw new StatusError("BadRequest", `the body of a create must be a ${call.kind.kind}`);
  }
  return createObject(call, decodeObject(call, document));
}
