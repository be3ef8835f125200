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
