// Defaults of admission webhooks.
import { fill } from "../core/pod-defaults.ts";
import type { Draft } from "../object.ts";

const webhookDefaults = (configuration: Draft, more: object) => {
  for (const webhook of configuration["webhooks"] ?? []) {
    fill(webhook, {
      failurePolicy: "Fail",
      matchPolicy: "Equivalent",
      timeoutSeconds: 10,
      namespaceSelector: {},
      objectSelector: {},
      ...more,
    });
    for (const rule of webhook.rules ?? []) fill(rule, { scope: "*" });
    if (webhook.clientConfig?.service) fill(webhook.clientConfig.service, { port: 443 });
  }
};

export const validatingWebhookDefaults = (configuration: Draft) =>
  webhookDefaults(configuration, {});
export const mutatingWebhookDefaults = (configuration: Draft) =>
  webhookDefaults(configuration, { reinvocationPolicy: "Never" });

const matchDefaults = (resources: Draft | undefined) => {
  if (!resources) return;
  fill(resources, { matchPolicy: "Equivalent", namespaceSelector: {}, objectSelector: {} });
  for (const field of ["resourceRules", "excludeResourceRules"]) {
    for (const rule of resources[field] ?? []) fill(rule, { scope: "*" });
  }
};

export const admissionPolicyDefaults = ({ spec }: Draft) => {
  if (!spec) return;
  fill(spec, { failurePolicy: "Fail" });
  matchDefaults(spec.matchConstraints);
};
export const admissionPolicyBindingDefaults = ({ spec }: Draft) =>
  matchDefaults(spec?.matchResources);
