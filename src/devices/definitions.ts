// Akri's two kinds, served as custom resources: what Akri's own chart installs is the same thing.
import { apply } from "../client/apply.ts";
import type { Client } from "../client/client.ts";
import { resource } from "../client/client.ts";
import { waitFor } from "../client/wait.ts";
import type { Clock } from "../lib/clock.ts";
import { configurationDefinition } from "./kinds/configuration.ts";
import { instanceDefinition } from "./kinds/instance.ts";

const crds = resource("apiextensions.k8s.io/v1", "customresourcedefinitions");
const establishedMsMax = 30_000;

const isEstablished = (status: any) =>
  status?.conditions?.some((one: any) => one.type === "Established" && one.status === "True");

/** Resolves once the server serves both kinds. */
export async function ensureDefinitions(client: Client, clock: Clock) {
  const ensure = async (definition: typeof configurationDefinition) => {
    await apply(client, crds, definition, { fieldManager: "kerb" });
    const target = { ...crds, name: definition.metadata.name };
    await waitFor(client, target, (crd) => isEstablished(crd?.status), {
      clock,
      timeoutMs: establishedMsMax,
    });
  };
  await Promise.all([ensure(configurationDefinition), ensure(instanceDefinition)]);
}
