// Custom objects of one version as objects of another, by the webhook that their definition names
// (apiextensions.k8s.io/v1 ConversionReview).
import type { KubeObject } from "../../kinds/object.ts";
import { isObject } from "../../lib/json.ts";
import type { Random } from "../../lib/random.ts";
import { StatusError } from "../../lib/status-error.ts";
import { postJson, type CallOptions } from "../admission/webhooks/call.ts";
import type { Crd } from "./crd.ts";

export interface ConversionOptions extends CallOptions {
  random: Random;
}

/** Gives each object's counterpart at `apiVersion`, in order. Rejects with a StatusError. */
export type Convert = (
  crd: Crd,
  objects: KubeObject[],
  apiVersion: string,
) => Promise<KubeObject[]>;

/** How long a webhook may take, as upstream. */
const timeoutSeconds = 30;

/** Objects sent at a time, by their number and by their size. */
const batchObjectsMax = 500;
const batchBytesMax = 2 * 1024 * 1024;

/** Versions of the review that are spoken. */
export const reviewVersions = ["v1", "v1beta1"];

const nameOf = ({ apiVersion, kind }: KubeObject) => `${apiVersion}, Kind=${kind}`;

export function* batches(objects: KubeObject[]): Generator<KubeObject[]> {
  let batch: KubeObject[] = [];
  let size = 0;
  for (const object of objects) {
    const bytes = JSON.stringify(object).length;
    if (batch.length > 0 && (batch.length === batchObjectsMax || size + bytes > batchBytesMax)) {
      yield batch;
      [batch, size] = [[], 0];
    }
    batch.push(object);
    size += bytes;
  }
  if (batch.length > 0) yield batch;
}

/** The converted objects of an answer; throws a plain Error for one that breaks the protocol. */
function convertedObjects(body: unknown, apiVersion: string, uid: string): unknown[] {
  const review = body as any;
  if (!isObject(body) || review.kind !== "ConversionReview" || review.apiVersion !== apiVersion) {
    const got = `${review?.apiVersion ?? ""}, Kind=${review?.kind ?? ""}`;
    throw new Error(
      `invalid response: expected webhook response of ${apiVersion}, Kind=ConversionReview, got ${got}`,
    );
  }
  const { response } = review;
  if (!isObject(response)) throw new Error("invalid response: no response provided");
  const { uid: answered, result, convertedObjects: converted } = response as any;
  if (answered !== uid) {
    throw new Error(
      `invalid response: expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(answered ?? "")}`,
    );
  }
  if (result?.status !== "Success") {
    throw new Error(
      result?.message || `response.result.status was '${result?.status ?? ""}', not 'Success'`,
    );
  }
  return Array.isArray(converted) ? converted : [];
}

const quoted = (value: unknown) => (value === undefined ? '""' : JSON.stringify(value));

/**
 * The converted object with the metadata it had: labels and annotations are the webhook's to change,
 * names and the UID must be as they were. Throws a plain Error.
 */
export function acceptConverted(
  original: KubeObject,
  converted: unknown,
  apiVersion: string,
): KubeObject {
  if (!isObject(converted)) throw new Error("must be an object");
  const object = converted as KubeObject;
  if (object.apiVersion !== apiVersion) {
    throw new Error(`invalid groupVersion (received ${object.apiVersion}, expected ${apiVersion})`);
  }
  if (object.kind !== original.kind) {
    throw new Error(`must have the same kind: ${object.kind} != ${original.kind}`);
  }
  const metadata = object.metadata ?? {};
  for (const field of ["name", "namespace", "uid"] as const) {
    if ((metadata[field] ?? "") === (original.metadata[field] ?? "")) continue;
    throw new Error(
      `must have the same ${field === "uid" ? "UID" : field}: ` +
        `${quoted(metadata[field])} != ${quoted(original.metadata[field])}`,
    );
  }
  const { labels: _, annotations: __, ...kept } = original.metadata;
  const changed: Record<string, unknown> = {};
  for (const field of ["labels", "annotations"] as const) {
    const values = metadata[field];
    if (values === undefined || values === null) continue;
    if (!isObject(values) || Object.values(values).some((one) => typeof one !== "string")) {
      throw new Error(`metadata.${field}: Invalid value: must be a map of strings`);
    }
    if (Object.keys(values).length > 0) changed[field] = values;
  }
  return { ...object, metadata: { ...kept, ...changed } as KubeObject["metadata"] };
}

async function convertBatch(
  options: ConversionOptions,
  crd: Crd,
  objects: KubeObject[],
  desiredAPIVersion: string,
): Promise<KubeObject[]> {
  const { clientConfig, conversionReviewVersions = [] } = crd.spec.conversion?.webhook ?? {};
  const version = conversionReviewVersions.find((one) => reviewVersions.includes(one)) ?? "v1";
  const apiVersion = `apiextensions.k8s.io/${version}`;
  const uid = options.random.uuid();
  const request = { uid, desiredAPIVersion, objects };
  const review = { kind: "ConversionReview", apiVersion, request };
  const what = `conversion webhook for ${nameOf(objects[0]!)}`;
  let converted: unknown[];
  try {
    const body = await postJson(clientConfig!, review, timeoutSeconds, options);
    converted = convertedObjects(body, apiVersion, uid);
  } catch (error) {
    throw failed(`${what} failed: ${(error as Error).message}`, error);
  }
  if (converted.length !== objects.length) {
    throw failed(`${what} returned ${converted.length} objects, expected ${objects.length}`);
  }
  return converted.map((one, i) => {
    try {
      return acceptConverted(objects[i]!, one, desiredAPIVersion);
    } catch (error) {
      const why = (error as Error).message;
      throw failed(`${what} returned invalid converted object at index ${i}: ${why}`, error);
    }
  });
}

const failed = (message: string, cause?: unknown) =>
  new StatusError("InternalError", message, { cause });

export const webhookConversion =
  (options: ConversionOptions): Convert =>
  async (crd, objects, apiVersion) => {
    const out: KubeObject[] = [];
    for (const batch of batches(objects)) {
      out.push(...(await convertBatch(options, crd, batch, apiVersion)));
    }
    return out;
  };
