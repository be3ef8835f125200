// What a resize of a running pod may change: cpu and memory, within the pod's class of service.
import { qosClassOf } from "../../lib/qos-class.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { forbiddenValue, invalidValue } from "../field-checks.ts";
import type { KubeObject } from "../object.ts";
import { resourceErrors } from "./resource-validation.ts";

type Any = Record<string, any>;

const resizable = new Set(["cpu", "memory"]);
const mirror = "kubernetes.io/config.mirror";

function listErrors(next: Any, before: Any, at: string): FieldError[] {
  return ["limits", "requests"].flatMap((list) => {
    const [now, old] = [next[list] ?? {}, before[list] ?? {}];
    const names = new Set([...Object.keys(now), ...Object.keys(old)]);
    return [...names].flatMap((name) => {
      const field = `${at}.${list}`;
      if (String(now[name]) === String(old[name])) return [];
      if (!resizable.has(name)) {
        return [forbiddenValue(field, "only cpu and memory resources are mutable")];
      }
      if (now[name] === undefined) {
        return [forbiddenValue(field, `resource ${list} cannot be removed`)];
      }
      return [];
    });
  });
}

function containersErrors(object: KubeObject, old: KubeObject, list: string): FieldError[] {
  const before: Any[] = old.spec?.[list] ?? [];
  return (object.spec?.[list] ?? []).flatMap((container: Any, i: number) => {
    const { resources = {} } = before.find(({ name }) => name === container["name"]) ?? {};
    const next = container["resources"] ?? {};
    const at = `spec.${list}[${i}].resources`;
    const errors = [...resourceErrors(next, at), ...listErrors(next, resources, at)];
    const done = list === "initContainers" && container["restartPolicy"] !== "Always";
    if (done && JSON.stringify(next) !== JSON.stringify(resources)) {
      errors.push(forbiddenValue(at, "resources of non-sidecar init containers are immutable"));
    }
    return errors;
  });
}

/** A resize names the containers that are there, in their order. */
function orderErrors(object: KubeObject, old: KubeObject, list: string): FieldError[] {
  const [now, before]: Any[][] = [object.spec?.[list] ?? [], old.spec?.[list] ?? []];
  if (now!.length !== before!.length) {
    return [forbiddenValue(`spec.${list}`, `${list} may not be added or removed on resize`)];
  }
  return before!.flatMap(({ name }, i) => {
    if (now![i]!["name"] === name) return [];
    const why = `${list} may not be renamed or reordered on resize`;
    return [forbiddenValue(`spec.${list}[${i}].name`, why)];
  });
}

export function resizeErrors(object: KubeObject, old: KubeObject): FieldError[] {
  if (old.metadata.annotations?.[mirror] !== undefined) {
    return [forbiddenValue("", "static pods cannot be resized")];
  }
  if (old.spec?.os?.name === "windows") {
    return [forbiddenValue("", "windows pods cannot be resized")];
  }
  const others = ["containers", "initContainers"].flatMap((list) => orderErrors(object, old, list));
  if (others.length > 0) return others;
  const errors = [
    ...containersErrors(object, old, "containers"),
    ...containersErrors(object, old, "initContainers"),
    ...listErrors(
      object.spec?.["resources"] ?? {},
      old.spec?.["resources"] ?? {},
      "spec.resources",
    ),
  ];
  if (errors.length > 0) return errors;
  const qos = qosClassOf(object.spec ?? {});
  const before = old.status?.qosClass ?? qosClassOf(old.spec ?? {});
  if (qos === before) return [];
  return [invalidValue("spec", qos, "Pod QOS Class may not change as a result of resizing")];
}
