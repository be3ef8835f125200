// ValidatingAdmissionPolicy: what a cluster's owners refuse, said in CEL and judged here, without a webhook
// (KEP-3488). A policy acts through its bindings. Wording as upstream's.
import type { KubeObject } from "../../../kinds/object.ts";
import type { CelProgram } from "../../cel/compile.ts";
import { withAnswers, type Answers } from "../../cel/libraries/authorizer.ts";
import { statusCodes, StatusError, type StatusReason } from "../../../lib/status-error.ts";
import type { Admission, AdmissionRequest } from "../../policy.ts";
import { refuse } from "../refuse.ts";
import { policyCompiler, type Bindings } from "./expressions.ts";
import {
  activePolicies,
  bindingsFor,
  compileFrame,
  firstLineOf,
  type Active,
  type Frame,
  type Misconfigured,
  type PolicyOptions,
} from "./policy.ts";

interface Validation {
  expression: string;
  message?: string;
  reason?: string;
  program: CelProgram;
  messageProgram: CelProgram | undefined;
}

interface Annotation {
  key: string;
  valueExpression: string;
  program: CelProgram;
}

interface Compiled extends Frame {
  validations: Validation[];
  annotations: Annotation[];
}

/** Longest value of an audit annotation, as upstream. */
const annotationCharsMax = 10 * 1024;

/** Everything a policy says in CEL. */
async function compilePolicy(policy: KubeObject): Promise<Compiled> {
  const compile = await policyCompiler();
  const { spec } = policy;
  const frame = compileFrame(compile, policy);
  const validations = (spec.validations ?? []).flatMap((one: any) => {
    const program = compile(one.expression, ["bool"]);
    const text = one.messageExpression;
    const messageProgram = text && compile(text, ["string"]);
    return program ? [{ ...one, program, messageProgram }] : [];
  });
  const annotations = (spec.auditAnnotations ?? []).flatMap((one: any) => {
    const program = compile(one.valueExpression, ["string", "null"]);
    return program ? [{ ...one, program }] : [];
  });
  return { ...frame, validations, annotations };
}

const compiledPolicies = new WeakMap<KubeObject, Promise<Compiled>>();

function compiledOf(policy: KubeObject): Promise<Compiled> {
  let compiled = compiledPolicies.get(policy);
  if (!compiled) compiledPolicies.set(policy, (compiled = compilePolicy(policy)));
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

interface Judgement {
  violations: Violation[];
  /** For the audit log. */
  notes: { key: string; value: string }[];
}

/** What the policy finds for one parameter. Expressions that fail count by its failure policy. */
function judge(
  request: AdmissionRequest,
  active: Active,
  compiled: Compiled,
  param: KubeObject | undefined,
  answers: Answers,
): Judgement {
  const fails = active.policy.spec.failurePolicy !== "Ignore";
  const failed = (message: string): Violation[] => (fails ? [{ message, reason: "Invalid" }] : []);
  let bindings: Bindings | undefined;
  try {
    bindings = bindingsFor(request, compiled, active.namespaceObject, param, answers);
  } catch (error) {
    return { violations: failed(firstLineOf(error)), notes: [] };
  }
  if (!bindings) return { violations: [], notes: [] };
  const given = bindings;
  const violations = compiled.validations.flatMap((validation) => {
    try {
      if (validation.program.evaluate({ ...given }) === true) return [];
    } catch (error) {
      return failed(
        `expression '${validation.expression}' resulted in error: ${firstLineOf(error)}`,
      );
    }
    const message = messageOf(validation, given);
    return [{ message, reason: validation.reason ?? "Invalid" }];
  });
  const notes = compiled.annotations.flatMap(({ key, valueExpression, program }) => {
    try {
      const value = program.evaluate({ ...given });
      if (typeof value !== "string" || value.trim() === "") return [];
      return [{ key, value: value.trim().slice(0, annotationCharsMax) }];
    } catch (error) {
      const why = `expression '${valueExpression}' resulted in error: ${firstLineOf(error)}`;
      violations.push(...failed(why));
      return [];
    }
  });
  return { violations, notes };
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

/** The audit annotations that the policy itself asks for, under its own name. */
function note(request: AdmissionRequest, policy: string, notes: Judgement["notes"]) {
  const byKey = Map.groupBy(notes, ({ key }) => key);
  for (const [key, ones] of byKey) {
    const values = new Set(ones.map(({ value }) => value));
    request.annotate(`${policy}/${key}`, [...values].join(", "));
  }
}

/** What a binding with the action Audit leaves in the audit log. */
function annotate(
  request: AdmissionRequest,
  active: Active | Misconfigured,
  { message }: Violation,
) {
  const told = [
    {
      message,
      policy: active.policy.metadata.name,
      binding: active.binding.metadata.name,
      validationActions: active.binding.spec.validationActions,
    },
  ];
  request.annotate("validation.policy.admission.k8s.io/validation_failure", JSON.stringify(told));
}

async function violationsOf(
  { authorize }: PolicyOptions,
  request: AdmissionRequest,
  active: Active | Misconfigured,
) {
  if ("problem" in active) return [{ message: active.problem, reason: "Invalid" }];
  const compiled = await compiledOf(active.policy);
  const judged = await withAnswers(authorize, (answers) =>
    active.params.map((param) => judge(request, active, compiled, param, answers)),
  );
  note(
    request,
    active.policy.metadata.name,
    judged.flatMap(({ notes }) => notes),
  );
  return judged.flatMap(({ violations }) => violations);
}

export const validatingPolicies = (options: PolicyOptions): Admission => ({
  name: "ValidatingAdmissionPolicy",
  async validate(request) {
    for (const active of await activePolicies(options, "validating", request)) {
      const [policy, binding] = [active.policy.metadata.name, active.binding.metadata.name];
      const actions: string[] = active.binding.spec.validationActions ?? [];
      for (const violation of await violationsOf(options, request, active)) {
        if (actions.includes("Audit")) annotate(request, active, violation);
        if (actions.includes("Deny")) throw denied(request, policy, binding, violation);
        if (!actions.includes("Warn")) continue;
        request.warn(
          `Validation failed for ValidatingAdmissionPolicy '${policy}' with binding '${binding}': ${violation.message}`,
        );
      }
    }
  },
});
