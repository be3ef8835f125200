// What the runtime's handler for a pod can do.
import type { AgentContext } from "../context.ts";
import type { HandlerAbilities } from "../runtime.ts";
import type { Pod } from "./pod.ts";

/** The runtime's name of the pod's RuntimeClass; undefined when there is no such class. */
export function handlerName(context: AgentContext, { spec }: Pod): string | undefined {
  const name: string | undefined = spec["runtimeClassName"];
  return name ? context.objects.runtimeClass(name)?.["handler"] : "";
}

export function handlerOf(context: AgentContext, pod: Pod): HandlerAbilities | undefined {
  return context.runtime.abilities?.handlers?.get(handlerName(context, pod) ?? "");
}
