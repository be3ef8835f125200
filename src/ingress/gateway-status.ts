// What Gateways and routes say of themselves once they are planned. Pure.
import type { KubeObject } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import type { GatewayPlan, RouteStatus, Said } from "./gateway-plan.ts";
import { controllerName } from "./kinds/resources.ts";

const group = "gateway.networking.k8s.io";

/** Conditions as the API has them; what did not change keeps its time. */
export function conditions(wanted: Said[], before: any[] = [], generation: number, now: number) {
  return wanted.map(({ type, status, reason, message = "" }) => {
    const text = status ? "True" : "False";
    const old = before.find((one) => one.type === type);
    const lastTransitionTime = old?.status === text ? old.lastTransitionTime : timestamp(now);
    return {
      type,
      status: text,
      reason,
      message,
      observedGeneration: generation,
      lastTransitionTime,
    };
  });
}

const generationOf = ({ metadata }: KubeObject) => Number(metadata["generation"] ?? 1);

export function gatewayStatus(
  { gateway, listeners }: GatewayPlan["gateways"][number],
  addresses: string[],
  now: number,
) {
  const { status = {} } = gateway;
  const generation = generationOf(gateway);
  const isWhole = listeners.every(({ conditions: own }) =>
    own.every(({ type, status: is }) => is || type === "Conflicted"),
  );
  const accepted: Said = isWhole
    ? { type: "Accepted", status: true, reason: "Accepted" }
    : { type: "Accepted", status: true, reason: "ListenersNotValid" };
  const programmed: Said =
    addresses.length > 0
      ? { type: "Programmed", status: true, reason: "Programmed" }
      : { type: "Programmed", status: false, reason: "AddressNotAssigned" };
  return {
    addresses: addresses.map((value) => ({ type: "IPAddress", value })),
    conditions: conditions([accepted, programmed], status.conditions, generation, now),
    listeners: listeners.map(({ name, attachedRoutes, kinds, conditions: own }) => {
      const before = status.listeners?.find((one: any) => one.name === name)?.conditions;
      return {
        name,
        attachedRoutes,
        supportedKinds: kinds ? [{ group, kind: "HTTPRoute" }] : [],
        conditions: conditions(own, before, generation, now),
      };
    }),
  };
}

/** What other controllers say of the route stays. */
export function routeStatus({ route, parents }: RouteStatus, now: number) {
  const known: any[] = route.status?.parents ?? [];
  const isSame = (a: any, b: any) => JSON.stringify(a) === JSON.stringify(b);
  const own = parents.map(({ parentRef, conditions: wanted }) => {
    const before = known.find(
      (one) => one.controllerName === controllerName && isSame(one.parentRef, parentRef),
    );
    const generation = generationOf(route);
    return {
      parentRef,
      controllerName,
      conditions: conditions(wanted, before?.conditions, generation, now),
    };
  });
  return { parents: [...known.filter((one) => one.controllerName !== controllerName), ...own] };
}
