// What requests are led by, whoever said it: an Ingress or a Gateway with its routes.

export interface NameMatch {
  name: string;
  is: (value: string) => boolean;
}

export interface Match {
  path: { type: "Exact" | "Prefix" | "Regex"; value: string; is?: (path: string) => boolean };
  method?: string;
  headers: NameMatch[];
  query: NameMatch[];
}

/** How a path is changed. */
export type PathChange = { full: string } | { prefix: string };

export interface HeaderChange {
  set: [string, string][];
  add: [string, string][];
  remove: string[];
}

export interface Redirect {
  scheme?: string;
  hostname?: string;
  port?: number;
  path?: PathChange;
  statusCode: number;
}

export interface Backend {
  namespace: string;
  service: string;
  /** Of the Service. */
  port: number | string;
  weight: number;
}

export interface Route {
  /** For order among equals: older first, then by name. */
  created: string;
  id: string;
  /** Host names, `*.example.com` too; none: any. */
  hosts: string[];
  match: Match;
  request?: HeaderChange;
  response?: HeaderChange;
  redirect?: Redirect;
  rewrite?: { hostname?: string; path?: PathChange };
  backends: Backend[];
  /** Share of what leads nowhere, beside the backends' weights. */
  lostWeight: number;
  timeoutMs?: number;
}

export interface Certificate {
  cert: string;
  key: string;
}

export interface Listener {
  port: number;
  /** `*.example.com` too; "" for any. */
  hostname: string;
  certificate?: Certificate;
  routes: Route[];
}
