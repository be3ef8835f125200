// Kinds of Gateway API, and those of Kubernetes that lead traffic in, as resources.
import { resource } from "../../client/client.ts";
import type { Definition } from "../../client/definitions.ts";
import all from "./data/definitions.json" with { type: "json" };

export const gatewayDefinitions = all as unknown as Definition[];

const group = "gateway.networking.k8s.io";

export const resources = {
  gatewayClasses: resource(`${group}/v1`, "gatewayclasses"),
  gateways: resource(`${group}/v1`, "gateways"),
  httpRoutes: resource(`${group}/v1`, "httproutes"),
  referenceGrants: resource(`${group}/v1beta1`, "referencegrants"),
  ingresses: resource("networking.k8s.io/v1", "ingresses"),
  ingressClasses: resource("networking.k8s.io/v1", "ingressclasses"),
  services: resource("v1", "services"),
  secrets: resource("v1", "secrets"),
  namespaces: resource("v1", "namespaces"),
  nodes: resource("v1", "nodes"),
  endpointSlices: resource("discovery.k8s.io/v1", "endpointslices"),
};

/** What an IngressClass and a GatewayClass name to be served here. */
export const controllerName = "kerb.dev/ingress";
export const className = "kerb";
