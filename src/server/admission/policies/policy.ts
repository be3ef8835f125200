// What validating and mutating policies share: they act through bindings, on requests that both name, with
// parameters, under conditions, with variables; and an expression that fails counts by the failure policy.
import type { Kinds } from "../../../kinds/kinds.ts";
import type { KubeObject } from "../../../kinds/object.ts";
import type { CelProgram } from "../../cel/compile.ts";
import type { Answers } from "../../cel/libraries/authorizer.ts";
import type { AdmissionRequest, Authorize } from "../../policy.ts";
import type { ObjectReader } from "../object-reader.ts";
import { isExempt } from "../webhooks/match.ts";
import {
  bindingsOf,
  compileConditions,
  conditionsHold,
  withVariables,
  type Bindings,
  type Compile,
  type Condition,
} from "./expressions.ts";
import { matchesResources } from "./match-resources.ts";
import { paramsOf } from "./params.ts";

export interface PolicyOptions {
  reader: ObjectReader;
  kinds: Kinds;
  authorize: Authorize;
}

export interface Frame {
  conditions: Condition[];
  variables: Map<string, CelProgram>;
}

/** The part of a policy that all kinds of policies have. */
export function compileFrame(compile: Compile, { spec }: KubeObject): Frame {
  const variables = new Map<string, CelProgram>();
  for (const { name, expression } of spec.variables ?? []) {
    const program = compile(expression);
    if (program) variables.set(name, program);
  }
  const conditions = compileConditions(compile, spec.matchConditions);
  return { conditions, variables };
}

/** One policy at work for one binding. */
export interface Active {
  policy: KubeObject;
  binding: KubeObject;
  namespaceObject: KubeObject | undefined;
  params: (KubeObject | undefined)[];
}

/** Why a binding could not be put to work. */
export interface Misconfigured {
  policy: KubeObject;
  binding: KubeObject;
  problem: string;
}

const group = "admissionregistration.k8s.io";

/** The policies of `kind` that are about the request. `kind`: `validating` or `mutating`. */
export async function activePolicies(
  options: PolicyOptions,
  kind: "validating" | "mutating",
  request: AdmissionRequest,
): Promise<(Active | Misconfigured)[]> {
  const { reader, kinds } = options;
  const bindings = await reader.list(`${kind}admissionpolicybindings.${group}/`);
  if (bindings.length === 0 || isExempt(request.kind)) return [];
  const { namespace } = request;
  const namespaceObject = namespace ? await reader.get(`namespaces/${namespace}`) : undefined;
  const labels = namespaceObject?.metadata.labels;
  const found: (Active | Misconfigured)[] = [];
  for (const binding of bindings.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const policy = await reader.get(`${kind}admissionpolicies.${group}/${binding.spec.policyName}`);
    if (!policy) continue;
    const about = [policy.spec.matchConstraints, binding.spec.matchResources];
    if (!about.every((one) => matchesResources(one, request, labels, kinds))) continue;
    try {
      const params = await paramsOf(
        options,
        policy.spec.paramKind,
        binding.spec.paramRef,
        namespace,
      );
      found.push({ policy, binding, namespaceObject, params });
    } catch (error) {
      if (policy.spec.failurePolicy === "Ignore") continue;
      found.push({
        policy,
        binding,
        problem: `failed to configure binding: ${(error as Error).message}`,
      });
    }
  }
  return found;
}

export const firstLineOf = (error: unknown) => (error as Error).message.split("\n")[0]!;

/** Everything that expressions may name, for each parameter whose conditions hold; throws their failure. */
export function bindingsFor(
  request: AdmissionRequest,
  frame: Frame,
  namespaceObject: KubeObject | undefined,
  params: KubeObject | undefined,
  answers: Answers,
): Bindings | undefined {
  const more = { ...(params && { params }), ...(namespaceObject && { namespaceObject }) };
  const bindings = withVariables(frame.variables, bindingsOf(request, answers, more));
  return conditionsHold(frame.conditions, bindings) ? bindings : undefined;
}
