// objectgraph: what a machine or instance rests on. Options may come in the body, also of a GET.
import type { KubeObject } from "../../../kinds/object.ts";
import { compileSelector } from "../../../lib/label-selector.ts";
import { isStatus } from "../../../lib/status-error.ts";
import type { Handler } from "../handler.ts";
import { instanceGraph, machineGraph, pruned } from "../object-graph.ts";

export const objectgraph: Handler = async (call) => {
  const { access, body } = call;
  const vm = call.resource === "virtualmachines" ? await access.machine(call) : undefined;
  const vmi = vm ? await access.instanceIfAny(call) : await access.instance(call);
  const pod: KubeObject | undefined =
    vmi &&
    (await access.podOf(vmi).catch((error: unknown) => {
      if (!isStatus(error, "Conflict")) throw error;
      return undefined;
    }));
  const graph = vm ? machineGraph(vm, pod) : instanceGraph(vmi!, pod);
  const { labelSelector, includeOptionalNodes } = body;
  const isWanted = labelSelector ? compileSelector(labelSelector) : () => true;
  return { code: 200, json: pruned(graph, isWanted, includeOptionalNodes ?? true) };
};
