// The ports of this machine on which the site itself answers, which no Service may have.
import type { UpOptions } from "../../cli/up.ts";
import type { SiteSettings } from "../site/site-settings.ts";

type IngressOptions = Pick<UpOptions, "ingressHttpPort" | "ingressHttpsPort">;

export const ingressPorts = ({ ingressHttpPort = 80, ingressHttpsPort = 443 }: IngressOptions) => ({
  http: ingressHttpPort,
  https: ingressHttpsPort,
});

export function ownPorts({ port }: SiteSettings, options: UpOptions): number[] {
  return options.ingress ? [port, ...Object.values(ingressPorts(options))] : [port];
}
