// `kerb up --ingress`: Ingresses and Gateway API on this machine. Loaded only when asked for.
import type { UpOptions } from "../../cli/up.ts";
import { startIngress } from "../../ingress/start.ts";
import type { ControlPlane } from "../site/control-plane.ts";
import { ingressPorts } from "../node/own-ports.ts";
import type { SiteSettings } from "../site/site-settings.ts";
import type { ActingParts } from "./acting-parts.ts";

interface Parts extends ActingParts {
  options: Pick<UpOptions, "ingressHttpPort" | "ingressHttpsPort" | "ingressAddress">;
  /** The port is the site's own API server's, on this machine. */
  settings: Pick<SiteSettings, "name"> & { port?: number };
  plane: Pick<ControlPlane, "client">;
}

export function openIngress({ options, settings, plane, log, ...parts }: Parts) {
  return startIngress({
    ...parts,
    client: plane.client("system:kerb-ingress"),
    log: log.with({ room: "ingress" }),
    ports: ingressPorts(options),
    address: options.ingressAddress ?? "0.0.0.0",
    reserved: new Set(settings.port === undefined ? [] : [settings.port]),
    nodeName: settings.name,
  });
}
