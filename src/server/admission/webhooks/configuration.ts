// The webhooks of all configurations of one kind, in the order in which they are asked: configurations by
// name, webhooks as they are listed.
import type { KubeObject } from "../../../kinds/object.ts";
import type { Condition } from "../policies/expressions.ts";
import { compileSelector, type LabelSelector, type Matcher } from "../../../lib/label-selector.ts";

export interface Rule {
  operations: string[];
  apiGroups: string[];
  apiVersions: string[];
  resources: string[];
  scope?: string;
}

export interface ServiceReference {
  namespace: string;
  name: string;
  path?: string;
  port?: number;
}

export interface ClientConfig {
  url?: string;
  service?: ServiceReference;
  /** base64 of PEM. */
  caBundle?: string;
}

export interface Webhook {
  name: string;
  clientConfig: ClientConfig;
  rules?: Rule[];
  failurePolicy: "Fail" | "Ignore";
  matchPolicy: "Exact" | "Equivalent";
  namespaceSelector?: LabelSelector;
  objectSelector?: LabelSelector;
  sideEffects: string;
  timeoutSeconds: number;
  reinvocationPolicy?: "Never" | "IfNeeded";
  matchConditions?: { name: string; expression: string }[];
}

export interface PreparedWebhook extends Webhook {
  /** Its match conditions, compiled by the first request. */
  conditions?: Promise<Condition[]>;
  inNamespace: Matcher;
  ofObject: Matcher;
}

const prepared = new WeakMap<KubeObject, PreparedWebhook[]>();

/** The webhooks of one configuration, their selectors compiled once. */
function prepare(configuration: KubeObject): PreparedWebhook[] {
  let known = prepared.get(configuration);
  if (!known) {
    const webhooks: Webhook[] = configuration["webhooks"] ?? [];
    known = webhooks.map((webhook) => ({
      ...webhook,
      inNamespace: compileSelector(webhook.namespaceSelector ?? {}),
      ofObject: compileSelector(webhook.objectSelector ?? {}),
    }));
    prepared.set(configuration, known);
  }
  return known;
}

export const webhooksOf = (configurations: KubeObject[]): PreparedWebhook[] =>
  configurations.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)).flatMap(prepare);
