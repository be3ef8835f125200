// Writes what the type check of each ValidatingAdmissionPolicy finds into its status, once per generation.
import type { KubeObject } from "../../../kinds/object.ts";
import type { Log } from "../../../lib/log.ts";
import { parseShared } from "../../../lib/parse-shared.ts";
import type { Scope } from "../../../lib/scope.ts";
import { isStatus } from "../../../lib/status-error.ts";
import { loopback } from "../../bootstrap.ts";
import { loadCel } from "../../cel/load.ts";
import type { ServerHandle } from "../../policy.ts";
import { typeWarnings } from "./type-check.ts";

const prefix = "validatingadmissionpolicies.admissionregistration.k8s.io/";
const path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";

export interface TypeCheckingOptions {
  server: ServerHandle;
  log: Log;
  scope: Scope;
}

export function startTypeChecking({ server, log, scope }: TypeCheckingOptions) {
  const check = async (policy: KubeObject) => {
    const { CelScope } = await loadCel();
    const { kinds } = server;
    const warnings = typeWarnings(policy, {
      kinds,
      scope: () => new CelScope(kinds.definition, { wholeMetadata: true }),
    });
    await server.handle({
      method: "PATCH",
      path: `${path}/${policy.metadata.name}/status`,
      query: new URLSearchParams({ fieldManager: "validating-admission-policy-controller" }),
      headers: { "content-type": "application/merge-patch+json" },
      body: {
        metadata: { uid: policy.metadata.uid },
        status: {
          observedGeneration: policy.metadata.generation,
          typeChecking: { expressionWarnings: warnings.length > 0 ? warnings : null },
        },
      },
      user: loopback,
      decoded: true,
      signal: scope.signal,
    });
  };
  const look = (value: Uint8Array) => {
    const policy = parseShared<KubeObject>(value);
    if (policy.status?.observedGeneration === policy.metadata.generation) return;
    check(policy).catch((error) => {
      // What is gone or was replaced needs no check; what changed comes again.
      if (scope.closed || isStatus(error, "NotFound", "Conflict")) return;
      log.warn("a policy is not type-checked", { error, policy: policy.metadata.name });
    });
  };
  scope.defer(
    server.store.subscribe(prefix, (events) => {
      for (const { type, value } of events) if (type !== "delete") look(value);
    }),
  );
  void Promise.resolve(server.store.list(prefix)).then(({ entries }) => {
    for (const { value } of entries) look(value);
  });
}
