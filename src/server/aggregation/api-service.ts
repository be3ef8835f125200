// An APIService says who serves a group version: this server itself (Local) or another one behind a
// Service.
import type { KubeObject, ObjectMeta } from "../../kinds/object.ts";

export interface ApiServiceSpec {
  /** "" for the core group. */
  group?: string;
  version: string;
  groupPriorityMinimum: number;
  versionPriority: number;
  service?: { namespace: string; name: string; port?: number };
  insecureSkipTLSVerify?: boolean;
  /** PEM in base64. */
  caBundle?: string;
}

export interface ApiServiceCondition {
  type: string;
  status: string;
  reason: string;
  message: string;
  lastTransitionTime: string;
}

export interface ApiService extends KubeObject {
  metadata: ObjectMeta;
  spec: ApiServiceSpec;
  status?: { conditions?: ApiServiceCondition[] };
}

export const apiServicePrefix = "apiservices.apiregistration.k8s.io/";

/** `v1.apps`, `v1.` */
export const apiServiceName = (group: string, version: string) => `${version}.${group}`;

/** `apis/apps/v1` or `api/v1`. */
export const rootOf = ({ group = "", version }: { group?: string; version: string }) =>
  group ? `apis/${group}/${version}` : `api/${version}`;

export const isAvailable = ({ status }: ApiService) =>
  status?.conditions?.some((one) => one.type === "Available" && one.status === "True") ?? false;

/** Where a group version stands among the others; the higher, the further in front. */
export interface Priority {
  group: number;
  version: number;
}
