// What the schema cannot say of webhook configurations (pkg/apis/admissionregistration/validation).
import type { FieldError } from "../../lib/status-error.ts";
import { duplicate, invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsSubdomain } from "../name-rules.ts";

const operations = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

function nameErrors(name: string | undefined, at: string): FieldError[] {
  if (!name) return [required(`${at}.name`)];
  const reasons = dnsSubdomain(name);
  if (reasons.length > 0) return [invalidValue(`${at}.name`, name, reasons.join(","))];
  if (name.split(".").length >= 3) return [];
  return [
    invalidValue(
      `${at}.name`,
      name,
      "should be a domain with at least three segments separated by dots",
    ),
  ];
}

function urlErrors(url: string, at: string): FieldError[] {
  const refuse = (why: string) => [invalidValue(at, url, why)];
  if (!URL.canParse(url)) return refuse("url must be a valid URL");
  const { protocol, username, search, hash, host } = new URL(url);
  if (protocol !== "https:") {
    return refuse("'https' is the only allowed URL scheme; desired format: https://host[/path]");
  }
  if (!host) return refuse("host must be specified; desired format: https://host[/path]");
  if (username) return refuse("user information is not permitted in the URL");
  if (hash) return refuse("fragments are not permitted in the URL");
  return search ? refuse("query parameters are not permitted in the URL") : [];
}

export function clientErrors(config: any, at: string): FieldError[] {
  const { url, service } = config ?? {};
  if ((url === undefined) === (service === undefined)) {
    return [required(at, "exactly one of url or service is required")];
  }
  if (url !== undefined) return urlErrors(url, `${at}.url`);
  const errors: FieldError[] = [];
  for (const field of ["name", "namespace"]) {
    if (!service[field]) errors.push(required(`${at}.service.${field}`));
  }
  if (service.path && !service.path.startsWith("/")) {
    errors.push(invalidValue(`${at}.service.path`, service.path, "must start with a '/'"));
  }
  const { port = 443 } = service;
  if (port < 1 || port > 65535) {
    errors.push(
      invalidValue(
        `${at}.service.port`,
        port,
        "port is not valid: must be between 1 and 65535, inclusive",
      ),
    );
  }
  return errors;
}

function ruleErrors(rule: any, at: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ["apiGroups", "apiVersions", "resources", "operations"]) {
    const values: string[] = rule[field] ?? [];
    if (values.length === 0) errors.push(required(`${at}.${field}`));
    if (field === "resources" || values.length < 2 || !values.includes("*")) continue;
    errors.push(
      invalidValue(`${at}.${field}`, values, "if '*' is present, must not specify other values"),
    );
  }
  for (const [i, operation] of (rule.operations ?? []).entries()) {
    errors.push(...supported(`${at}.operations[${i}]`, operation, operations));
  }
  return [...errors, ...supported(`${at}.scope`, rule.scope, ["*", "Cluster", "Namespaced"])];
}

function webhookErrors(webhook: any, at: string): FieldError[] {
  const errors = [
    ...nameErrors(webhook.name, at),
    ...clientErrors(webhook.clientConfig, `${at}.clientConfig`),
  ];
  const { timeoutSeconds = 10, admissionReviewVersions = [], sideEffects } = webhook;
  if (timeoutSeconds < 1 || timeoutSeconds > 30) {
    const why = "the timeout value must be between 1 and 30 seconds";
    errors.push(invalidValue(`${at}.timeoutSeconds`, timeoutSeconds, why));
  }
  if (!sideEffects)
    errors.push(required(`${at}.sideEffects`, "must specify one of None, NoneOnDryRun"));
  errors.push(...supported(`${at}.sideEffects`, sideEffects, ["None", "NoneOnDryRun"]));
  if (admissionReviewVersions.length === 0) {
    errors.push(required(`${at}.admissionReviewVersions`, "must specify one of v1, v1beta1"));
  } else if (!admissionReviewVersions.includes("v1")) {
    const why = "must include at least one of v1";
    errors.push(invalidValue(`${at}.admissionReviewVersions`, admissionReviewVersions, why));
  }
  errors.push(...supported(`${at}.failurePolicy`, webhook.failurePolicy, ["Fail", "Ignore"]));
  errors.push(...supported(`${at}.matchPolicy`, webhook.matchPolicy, ["Exact", "Equivalent"]));
  errors.push(
    ...supported(`${at}.reinvocationPolicy`, webhook.reinvocationPolicy, ["IfNeeded", "Never"]),
  );
  for (const [i, rule] of (webhook.rules ?? []).entries()) {
    errors.push(...ruleErrors(rule, `${at}.rules[${i}]`));
  }
  return errors;
}

export function webhookConfigurationErrors({ object }: Change): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [i, webhook] of (object["webhooks"] ?? []).entries()) {
    const at = `webhooks[${i}]`;
    errors.push(...webhookErrors(webhook, at));
    if (names.has(webhook.name)) errors.push(duplicate(`${at}.name`, webhook.name));
    names.add(webhook.name);
  }
  return errors;
}
