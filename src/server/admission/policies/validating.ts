// ValidatingAdmissionPolicy: what a cluster's owners refuse, said in CEL and judged here, without a webhook
// (KEP-3488). A policy acts through its bindings. Wording as upstream's.
import type { Kinds } from "../../../kinds/kinds.ts";
import type { KubeObject } from "../../../kinds/object.ts";
import type { CelProgram } from "../../cel/compile.ts";
import { statusCodes, StatusError, type StatusReason } from "../../../lib/status-error.ts";
import type { Admission, AdmissionRequest } from "../../policy.ts";
import type { ObjectReader } from "../object-reader.ts";
import { refuse } from "../refuse.ts";
import { isExempt } from "../webhooks/match.ts";
import {
  bindingsOf,
  compileConditions,
  conditionsHold,
  policyCompiler,
  withVariables,
  type Bindings,
  type Condition,
  type Report,
} from "./expressions.ts";
import { matchesResources } from "./match-resources.ts";
import { paramsOf } from "./params.ts";

interface Validation {
  expression: string;
  message?: string;
  reason?: string;
  program: CelProgram;
  messageProgram: CelProgram | undefined;
}

interface Compiled {
  conditions: Condition[];
  variables: Map<string, CelProgram>;
  validations: Validation[];
}

/** Everything a policy says in CEL; `report` is told what does not compile. */
export async function compilePolicy({ spec }: KubeObject, report: Report): Promise<Compiled> {
  const compiler = await policyCompiler(report);
  const any = ["bool", "int", "uint", "double", "string", "bytes", "list", "map"];
  const variables = new Map<string, CelProgram>();
  for (const [i, { name, expression }] of (spec.variables ?? []).entries()) {
    const program = compiler.compile(`spec.variables[${i}].expression`, expression, any);
    if (program) variables.set(name, program);
  }
  const validations = (spec.validations ?? []).flatMap((one: any, i: number) => {
    const at = `spec.validations[${i}]`;
    const program = compiler.compile(`${at}.expression`, one.expression, ["bool"]);
    const text = one.messageExpression;
    const messageProgram = text && compiler.compile(`${at}.messageExpression`, text, ["string"]);
    return program ? [{ ...one, program, messageProgram }] : [];
  });
  const conditions = compileConditions(compiler, spec.matchConditions, "spec.matchConditions");
  for (const [i, { valueExpression }] of (spec.auditAnnotations ?? []).entries()) {
    const at = `spec.auditAnnotations[${i}].valueExpression`;
    compiler.compile(at, valueExpression, ["string", "null_type"]);
  }
  return { conditions, variables, validations };
}

const compiledPolicies = new WeakMap<KubeObject, Promise<Compiled>>();

function compiledOf(policy: KubeObject): Promise<Compiled> {
  let compiled = compiledPolicies.get(policy);
  if (!compiled) compiledPolicies.set(policy, (compiled = compilePolicy(policy, () => {})));
  return compiled;
}

interface Violation {
  message: string;
  reason: string;
}

function messageOf(
  { messageProgram, message, expression }: Validation,
  bindings: Bindings,
): string {
  try {
    const text = messageProgram?.evaluate({ ...bindings });
    if (typeof text === "string" && text.trim() !== "" && !text.includes("\n")) return text;
  } catch {
    // The fixed message says it too.
  }
  return message ?? `failed expression: ${expression.trim()}`;
}

/** What the policy finds wrong with one set of bindings. Expressions that fail count by its failure policy. */
function judge(policy: KubeObject, compiled: Compiled, given: Bindings): Violation[] {
  const fails = policy.spec.failurePolicy !== "Ignore";
  const failed = (message: string): Violation[] => (fails ? [{ message, reason: "Invalid" }] : []);
  const bindings = withVariables(compiled.variables, given);
  try {
    if (!conditionsHold(compiled.conditions, bindings)) return [];
  } catch (error) {
    return failed((error as Error).message);
  }
  return compiled.validations.flatMap((validation) => {
    try {
      if (validation.program.evaluate({ ...bindings }) === true) return [];
    } catch (error) {
      const [why] = (error as Error).message.split("\n");
      return failed(`expression '${validation.expression}' resulted in error: ${why}`);
    }
    const message = messageOf(validation, bindings);
    return [{ message, reason: validation.reason ?? "Invalid" }];
  });
}

function denied(
  request: AdmissionRequest,
  policy: string,
  binding: string,
  { message, reason }: Violation,
) {
  const text = `ValidatingAdmissionPolicy '${policy}' with binding '${binding}' denied request: ${message}`;
  const { message: whole, details } = refuse(request, text);
  const known = (reason in statusCodes ? reason : "Invalid") as StatusReason;
  return new StatusError(known, whole, {
    details: { ...details, causes: [{ reason: "", message: text }] },
  });
}

export interface PolicyOptions {
  reader: ObjectReader;
  kinds: Kinds;
}

const group = "admissionregistration.k8s.io";
const bindingsAt = `validatingadmissionpolicybindings.${group}/`;
const policiesAt = `validatingadmissionpolicies.${group}/`;

export function validatingPolicies(options: PolicyOptions): Admission {
  const { reader, kinds } = options;

  async function violations(request: AdmissionRequest, policy: KubeObject, binding: KubeObject) {
    const { paramKind } = policy.spec;
    const namespaceObject = request.namespace
      ? await reader.get(`namespaces/${request.namespace}`)
      : undefined;
    const labels = namespaceObject?.metadata.labels;
    const about = [policy.spec.matchConstraints, binding.spec.matchResources];
    if (!about.every((one) => matchesResources(one, request, labels, kinds))) return [];
    let params: (KubeObject | undefined)[];
    try {
      params = await paramsOf(options, paramKind, binding.spec.paramRef, request.namespace);
    } catch (error) {
      if (policy.spec.failurePolicy === "Ignore") return [];
      return [
        { message: `failed to configure binding: ${(error as Error).message}`, reason: "Invalid" },
      ];
    }
    const compiled = await compiledOf(policy);
    return params.flatMap((param) => {
      const more = { ...(param && { params: param }), ...(namespaceObject && { namespaceObject }) };
      return judge(policy, compiled, bindingsOf(request, more));
    });
  }

  return {
    name: "ValidatingAdmissionPolicy",
    async validate(request) {
      const bindings = await reader.list(bindingsAt);
      if (bindings.length === 0 || isExempt(request.kind)) return;
      for (const binding of bindings) {
        const policy = await reader.get(policiesAt + binding.spec.policyName);
        if (!policy) continue;
        const { name } = policy.metadata;
        const actions: string[] = binding.spec.validationActions ?? [];
        for (const violation of await violations(request, policy, binding)) {
          if (actions.includes("Deny"))
            throw denied(request, name, binding.metadata.name, violation);
          if (!actions.includes("Warn")) continue;
          request.warn(
            `Validation failed for ValidatingAdmissionPolicy '${name}' with binding '${binding.metadata.name}': ${violation.message}`,
          );
        }
      }
    },
  };
}
