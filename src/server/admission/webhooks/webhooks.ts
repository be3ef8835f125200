// Admission by webhooks: other people's programs look at what is written, change it (mutating, one after the
// other) or refuse it (validating, all at once). A webhook that cannot be asked counts as its failure policy
// says. KEP-492; wording as upstream's.
import type { Kinds } from "../../../kinds/kinds.ts";
import { conform } from "../../../kinds/schema/conform.ts";
import type { KubeObject } from "../../../kinds/object.ts";
import { jsonEqual } from "../../../lib/json.ts";
import type { Log } from "../../../lib/log.ts";
import type { Random } from "../../../lib/random.ts";
import { badRequest, StatusError } from "../../../lib/status-error.ts";
import { jsonPatch } from "../../../lib/patch/json-patch.ts";
import { withAnswers } from "../../cel/libraries/authorizer.ts";
import type { Admission, AdmissionRequest, Authorize } from "../../policy.ts";
import { rootSchema } from "../../root-schema.ts";
import { asVersion } from "../../stored.ts";
import type { ObjectReader } from "../object-reader.ts";
import {
  bindingsOf,
  compileConditions,
  conditionsHold,
  policyCompiler,
} from "../policies/expressions.ts";
import { postJson, type CallOptions } from "./call.ts";
import { webhooksOf, type PreparedWebhook } from "./configuration.ts";
import { isExempt, matchedKind, selects } from "./match.ts";
import { denial, reviewOf, verdictOf, type Verdict } from "./review.ts";

export interface WebhookOptions extends CallOptions {
  reader: ObjectReader;
  kinds: Kinds;
  authorize: Authorize;
  random: Random;
  log: Log;
}

const prefix = (kind: string) => `${kind}webhookconfigurations.admissionregistration.k8s.io/`;

/** The webhooks to ask about `request`, with the kind each sees it as. */
async function relevant(options: WebhookOptions, of: string, request: AdmissionRequest) {
  const configurations = await options.reader.list(prefix(of));
  if (configurations.length === 0 || isExempt(request.kind)) return [];
  const namespace =
    request.namespace && (await options.reader.get(`namespaces/${request.namespace}`));
  const labels = namespace ? namespace.metadata.labels : undefined;
  return webhooksOf(configurations).flatMap((webhook) => {
    const kind = matchedKind(webhook, request, options.kinds);
    return kind && selects(webhook, request, labels) ? [{ webhook, kind }] : [];
  });
}

function mustBearDryRun({ name, sideEffects }: PreparedWebhook, { dryRun }: AdmissionRequest) {
  if (!dryRun || sideEffects === "None" || sideEffects === "NoneOnDryRun") return;
  throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
}

/** What a webhook's failure means: it is ignored, or the request fails with it. */
function fail(
  { log }: WebhookOptions,
  { failurePolicy }: PreparedWebhook,
  message: string,
  cause: unknown,
) {
  if (failurePolicy !== "Ignore") {
    throw new StatusError("InternalError", `Internal error occurred: ${message}`, { cause });
  }
  log.warn("a webhook failed and is ignored", { error: message });
}

/** False when the webhook's match conditions say that it need not be asked. */
async function isWanted(
  options: WebhookOptions,
  webhook: PreparedWebhook,
  request: AdmissionRequest,
) {
  const { matchConditions = [] } = webhook;
  if (matchConditions.length === 0) return true;
  webhook.conditions ??= policyCompiler().then((compile) =>
    compileConditions(compile, matchConditions),
  );
  try {
    const conditions = await webhook.conditions;
    return await withAnswers(options.authorize, (answers) =>
      conditionsHold(conditions, bindingsOf(request, answers)),
    );
  } catch (error) {
    fail(
      options,
      webhook,
      `failed calling webhook ${JSON.stringify(webhook.name)}: ${(error as Error).message}`,
      error,
    );
    return false;
  }
}

/** Asks one webhook; undefined when it does not want to be asked, or it failed and its failure is to be ignored. Throws its denial. */
async function ask(
  options: WebhookOptions,
  { webhook, kind }: { webhook: PreparedWebhook; kind: AdmissionRequest["kind"] },
  request: AdmissionRequest,
  mutating: boolean,
): Promise<Verdict | undefined> {
  if (!(await isWanted(options, webhook, request))) return undefined;
  mustBearDryRun(webhook, request);
  const uid = options.random.uuid();
  const { name, clientConfig, timeoutSeconds } = webhook;
  let verdict: Verdict;
  try {
    const body = await postJson(
      clientConfig,
      await reviewOf(request, kind, uid),
      timeoutSeconds,
      options,
    ).catch((error) => {
      throw new Error(`failed to call webhook: ${error.message}`, { cause: error });
    });
    verdict = verdictOf(body, uid, mutating);
  } catch (error) {
    const message = `failed calling webhook ${JSON.stringify(name)}: ${(error as Error).message}`;
    fail(options, webhook, message, error);
    return undefined;
  }
  for (const warning of verdict.warnings) request.warn(warning);
  for (const [key, value] of Object.entries(verdict.annotations)) {
    request.annotate(`${name}/${key}`, value);
  }
  if (!verdict.allowed) throw denial(name, verdict.status);
  return verdict;
}

/** The patched object, pruned and defaulted as if its writer had sent it so. */
async function patched(
  { kinds }: WebhookOptions,
  request: AdmissionRequest,
  kind: AdmissionRequest["kind"],
  operations: unknown[],
) {
  const own = request.kind;
  const shown = structuredClone(await asVersion(own, kind, request.object!));
  const object = jsonPatch(shown, operations as any) as KubeObject;
  conform(object, rootSchema(kind, kinds), kinds.definition);
  kind.defaults?.(object);
  return asVersion(kind, own, object);
}

/** What each webhook left of the requests that are being mutated. */
const answered = new WeakMap<AdmissionRequest, Map<PreparedWebhook, KubeObject | undefined>>();

/** Asks one after the other; true when one of them changed the object. */
async function mutateAll(options: WebhookOptions, request: AdmissionRequest): Promise<boolean> {
  const before = answered.get(request);
  const after = new Map(before);
  answered.set(request, after);
  let changed = false;
  for (const one of await relevant(options, "mutating", request)) {
    const { webhook } = one;
    if (before) {
      const wants = webhook.reinvocationPolicy === "IfNeeded" && before.has(webhook);
      if (!wants || jsonEqual(before.get(webhook), request.object)) continue;
    }
    const verdict = await ask(options, one, request, true);
    if (verdict?.patch && verdict.patch.length > 0 && request.object) {
      request.object = await patched(options, request, one.kind, verdict.patch);
      changed = true;
    }
    after.set(webhook, request.object);
  }
  return changed;
}

export const mutatingWebhooks = (options: WebhookOptions): Admission => ({
  name: "MutatingAdmissionWebhook",
  mutate: async (request) => ((await mutateAll(options, request)) ? "reinvoke" : undefined),
});

export const validatingWebhooks = (options: WebhookOptions): Admission => ({
  name: "ValidatingAdmissionWebhook",
  async validate(request) {
    const webhooks = await relevant(options, "validating", request);
    if (webhooks.length === 0) return;
    await Promise.all(webhooks.map((one) => ask(options, one, request, false)));
  },
});
