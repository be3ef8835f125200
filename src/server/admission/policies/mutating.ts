// MutatingAdmissionPolicy: changes that a cluster's owners want in what is written, said in CEL (KEP-3962): an
// apply configuration, merged as server-side apply merges, or a JSON patch.
import type { KubeObject } from "../../../kinds/object.ts";
import { conform } from "../../../kinds/schema/conform.ts";
import { isObject, jsonEqual } from "../../../lib/json.ts";
import { rootTypeOf } from "../../apply/field-type.ts";
import { mergeMaps } from "../../apply/merge.ts";
import type { CelProgram } from "../../cel/compile.ts";
import { withAnswers } from "../../cel/libraries/authorizer.ts";
import { asMaps } from "../../cel/struct-literals.ts";
import { toJson } from "../../cel/to-json.ts";
import { jsonPatch } from "../../../lib/patch/json-patch.ts";
import type { Admission, AdmissionRequest } from "../../policy.ts";
import { rootSchema } from "../../root-schema.ts";
import { refuse } from "../refuse.ts";
import { policyCompiler } from "./expressions.ts";
import {
  activePolicies,
  bindingsFor,
  compileFrame,
  firstLineOf,
  type Active,
  type Frame,
  type PolicyOptions,
} from "./policy.ts";

interface Mutation {
  patchType: "ApplyConfiguration" | "JSONPatch";
  program: CelProgram;
}

interface Compiled extends Frame {
  mutations: Mutation[];
}

async function compileMutatingPolicy(policy: KubeObject): Promise<Compiled> {
  const compile = await policyCompiler();
  const mutations = (policy.spec.mutations ?? []).flatMap((one: any) => {
    const applies = one.patchType === "ApplyConfiguration";
    const field = applies ? "applyConfiguration" : "jsonPatch";
    const expression: string = one[field]?.expression ?? "";
    const results = applies ? ["map"] : ["list"];
    const program = compile(asMaps(expression), results);
    return program ? [{ patchType: one.patchType, program }] : [];
  });
  return { ...compileFrame(compile, policy), mutations };
}

const compiledPolicies = new WeakMap<KubeObject, Promise<Compiled>>();

function compiledOf(policy: KubeObject): Promise<Compiled> {
  let compiled = compiledPolicies.get(policy);
  if (!compiled) compiledPolicies.set(policy, (compiled = compileMutatingPolicy(policy)));
  return compiled;
}

/** The object with what the expression's value says. Pure. */
function changed(
  { kinds }: PolicyOptions,
  { kind, object }: AdmissionRequest,
  { patchType }: Mutation,
  value: unknown,
): KubeObject {
  const asked = toJson(value);
  if (patchType === "JSONPatch") return jsonPatch(structuredClone(object!), asked as any);
  if (!isObject(asked)) throw new Error("the expression must give an object");
  const type = rootTypeOf(kind, "", kinds.definition);
  return structuredClone(mergeMaps(type, object as any, asked as any)) as unknown as KubeObject;
}

/** Lays one policy's mutations over the request's object; throws a plain Error when an expression fails. */
async function mutate(options: PolicyOptions, request: AdmissionRequest, active: Active) {
  const { policy, namespaceObject, params } = active;
  const compiled = await compiledOf(policy);
  for (const param of params) {
    for (const mutation of compiled.mutations) {
      const wanted = await withAnswers(options.authorize, (answers) => {
        const bindings = bindingsFor(request, compiled, namespaceObject, param, answers);
        return bindings && { value: mutation.program.evaluate({ ...bindings }) };
      });
      if (!wanted) break;
      const object = changed(options, request, mutation, wanted.value);
      conform(object, rootSchema(request.kind, options.kinds), options.kinds.definition);
      request.kind.defaults?.(object);
      request.object = object;
    }
  }
}

const denied = (
  request: AdmissionRequest,
  { policy, binding }: Pick<Active, "policy" | "binding">,
  why: string,
) =>
  refuse(
    request,
    `MutatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}' denied request: ${why}`,
  );

/** What the policies that ask for it left of a request when they saw it first. */
const seen = new WeakMap<AdmissionRequest, Map<string, KubeObject | undefined>>();

export function mutatingPolicies(options: PolicyOptions): Admission {
  return {
    name: "MutatingAdmissionPolicy",
    async mutate(request) {
      if (!request.object || request.operation === "CONNECT") return;
      const before = seen.get(request);
      const after = new Map(before);
      seen.set(request, after);
      const first = request.object;
      for (const active of await activePolicies(options, "mutating", request)) {
        if ("problem" in active) throw denied(request, active, active.problem);
        const { policy } = active;
        const { name } = active.binding.metadata;
        const again = policy.spec.reinvocationPolicy === "IfNeeded" && before?.has(name);
        if (before && (!again || jsonEqual(before.get(name), request.object))) continue;
        try {
          await mutate(options, request, active);
        } catch (error) {
          if (policy.spec.failurePolicy !== "Ignore")
            throw denied(request, active, firstLineOf(error));
        }
        after.set(name, request.object);
      }
      return request.object === first ? undefined : "reinvoke";
    },
  };
}
